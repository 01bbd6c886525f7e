"""Reading pictures from strangers: every format, mode and orientation becomes an upright 8-bit picture."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from edgevision.errors import ImageError
from edgevision.files import open_ordinary
from edgevision.metadata import Color

ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, an encoded file's bytes, a Pillow picture, or uint8 RGB of shape (H, W, 3), RGBA (H, W, 4), gray (H, W)."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})

# The EXIF tag of which way the camera was held; 1 is upright.
_ORIENTATION = 0x0112

_MODES = {Color.RGB: "RGB", Color.BGR: "RGB", Color.GRAY: "L", Color.YCBCR: "YCbCr", Color.LUMA: "L"}


def read_image(source: ImageSource) -> Image.Image:
    """Decode a picture completely and turn it upright by its EXIF orientation.

    Raises:
        ImageError: missing, not a picture, truncated, or larger than Pillow's decompression bomb limit.
        TypeError, ValueError: an array of another shape or dtype.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "the picture")
    if isinstance(source, bytes):
        return _open(io.BytesIO(source), "the picture")
    if isinstance(source, str | os.PathLike):
        return _open(Path(source), repr(os.fspath(source)))
    raise TypeError(f"an image is a path, bytes, a Pillow image or a uint8 array, not {type(source).__name__}")


def to_array(image: Image.Image, color: Color = Color.RGB) -> NDArray[np.uint8]:
    """The picture's samples as uint8 (H, W, channels) in the order of ``color``; gray has one channel.

    Transparent parts are shown on white, 16-bit gray is scaled to 8 bits, CMYK and palettes are converted.
    """
    array = np.asarray(_to_8_bit(image, _MODES[color]))
    if color.channels == 1:
        return array[:, :, None]
    return array[:, :, ::-1] if color is Color.BGR else array


def _open(file: Path | io.BytesIO, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Pillow warns from half its limit on; a large panorama is no attack, twice the limit still raises. It
            # warns about odd tags too, which say nothing about the pixels.
            warnings.simplefilter("ignore")
            with open_ordinary(file) if isinstance(file, Path) else file as stream, Image.open(stream) as image:
                return _decode(image, name)
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name} is a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a picture in a format Pillow reads") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to decode safely: {error}") from error
    except ImageError:
        raise
    # A header that is cut off or damaged ends in almost anything too.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise ImageError(f"{name} cannot be read: {error.strerror}") from error
        raise ImageError(f"{name} is damaged or cut off: {error}") from error


def _decode(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image  # ImageOps would copy it
        from PIL import ImageOps

        return ImageOps.exif_transpose(image)
    # Pillow's decoders raise almost anything on damaged data (OSError, SyntaxError, EOFError, struct.error ...).
    except Exception as error:
        raise ImageError(f"{name} is damaged or cut off: {error}") from error


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    if array.dtype != np.uint8:
        raise TypeError(f"an image array must be uint8 in 0..255, not {array.dtype}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an image array must be (H, W), (H, W, 3) or (H, W, 4), not {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"an image array must not be empty, not {array.shape}")
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _to_8_bit(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):  # 16-bit gray, which convert() would clip to white instead of scaling
        image = Image.fromarray((np.asarray(image, np.float32) / 257).round().clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ImageError("floating-point pictures have no defined range; save it as 8 or 16 bits a channel")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB").convert(mode)
