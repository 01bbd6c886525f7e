"""Reading pictures from strangers: of every format, mode and orientation, upright samples come out."""

import io
import logging
import os
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError, TooLargeError
from edgevision.core.regular_files import open_regular
from edgevision.imaging.embedded_metadata import xmp_of
from edgevision.imaging.exif import orientation, read_exif
from edgevision.imaging.file_structure import check_scans, check_strips, without_texts
from edgevision.imaging.picture_formats import JPEG, PNG, TIFF, PictureFormat, format_of_content
from edgevision.imaging.picture_sources import HasPicture, ImageSource, array_samples
from edgevision.imaging.samples import in_8_bits
from edgevision.imaging.stored_samples import StoredSamples, stored_samples
from edgevision.modelfiles.metadata import Color

_log = logging.getLogger(__name__)
# What Pillow logs of damaged files stands in our errors; without a handler Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Remark = Callable[[str], None]
"""What is done with a sentence about a loss, which names the picture."""

# What turns a picture upright that carries this EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_MODES = {Color.RGB: "RGB", Color.BGR: "RGB", Color.GRAY: "L", Color.YCBCR: "YCbCr", Color.LUMA: "L"}

# 16-bit gray is mode I;16 here; every other mode, which a file can have, is converted to RGB.
_PLAIN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")

# Enough of a file for its format and, in all that is not made up, for the depth of its samples.
_BEGINNING = 4096


@dataclass(frozen=True, eq=False)
class Decoded:
    """An upright picture.

    Attributes:
        image: in one of Pillow's modes 1, L, LA, P, PA, RGB, RGBA or I;16; ``info`` has at most ``icc_profile``, which
            belongs to these colours, and ``transparency``.
        exif, xmp: what the camera said and the owner noted, without what describes the samples or their orientation;
            ``None`` without, or where it was not asked for.
        lost: what of the pixels was given up, as in "read with 8 bits a sample".
    """

    image: Image.Image
    exif: bytes | None = None
    xmp: bytes | None = None
    lost: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def remark_once(sentence: str) -> None:
    """Warn of something in a picture, but not again where it is read again, as a mask for each of many pictures."""
    _log.warning(sentence)


def read_image(source: ImageSource, *, name: str = "the picture", remark: Remark = remark_once) -> Image.Image:
    """Decode a picture completely and turn it upright by its EXIF orientation; of several frames it is the first.

    ``name`` stands for bytes in errors and in the ``remark`` that there are more frames.

    Raises:
        ImageError: missing, not a picture, truncated, or larger than Pillow's decompression bomb limit.
        MissingExtraError: the format needs an extra that is not installed.
        TypeError, ValueError: an array of another shape or dtype.
    """
    return decode(source, name=name, remark=remark).image


def decode(
    source: ImageSource, *, name: str = "the picture", remark: Remark = remark_once, camera: bool = False
) -> Decoded:
    """As :func:`read_image`, with what the file says beside the pixels, and the ``camera`` if that is asked for."""
    if isinstance(source, np.ndarray):
        return Decoded(_from_array(source))
    if isinstance(source, Image.Image):
        return _decode(source, name, stored_samples(source), camera=camera)
    if isinstance(source, bytes):
        return _open(io.BytesIO(source), name, remark, camera=camera)
    if isinstance(source, str | os.PathLike):
        name = repr(os.fspath(source))
        try:
            with open_regular(Path(source)) as file:
                return _open(file, name, remark, camera=camera)
        except FileNotFoundError as error:
            raise ImageError(f"{name} does not exist") from error
        except IsADirectoryError as error:
            raise ImageError(f"{name} is a folder, not a picture") from error
        except (OSError, ValueError) as error:
            raise ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if isinstance(source, HasPicture):
        return Decoded(source.to_pillow())
    raise TypeError(f"an image is a path, bytes, a Pillow image, an array or a result, not {type(source).__name__}")


def to_array(image: Image.Image, color: Color = Color.RGB) -> NDArray[np.uint8]:
    """The picture's samples as uint8 (H, W, channels) in the order of ``color``; gray has one channel.

    Transparent parts are shown on white, 16-bit gray is scaled to 8 bits, CMYK and palettes are converted.
    """
    array = np.asarray(_to_8_bit(image, _MODES[color]))
    if color.channels == 1:
        return array[:, :, None]
    return array[:, :, ::-1] if color is Color.BGR else array


def _open(file: BinaryIO, name: str, remark: Remark, *, camera: bool) -> Decoded:
    beginning = file.read(_BEGINNING)
    kind = format_of_content(beginning, name)
    try:
        decoded, several = _read(kind, file, beginning, name, camera=camera)
    except ImageError:
        plain = without_texts(file) if kind is PNG else None
        if plain is None:
            raise
        decoded, several = _read(kind, plain, beginning, name, camera=camera)
        remark(f"{name}: its texts and colour profile are damaged or too large, left out")
    if several:
        remark(f"{name} has several {'pages' if kind is TIFF else 'frames'}, only the first is read")
    return decoded


def _read(kind: PictureFormat, file: BinaryIO, beginning: bytes, name: str, *, camera: bool) -> tuple[Decoded, bool]:
    """The picture, and whether there are more frames in the file."""
    file.seek(0)
    try:
        with warnings.catch_warnings():
            # Pillow warns from half its limit on; a large panorama is no attack, twice the limit still raises. It
            # warns about odd tags too, which say nothing about the pixels.
            warnings.simplefilter("ignore")
            with _identified(kind, file, name) as image:
                several = _has_more_frames(image)
                # Only before the samples are read it is known how they are stored.
                return _decode(image, name, stored_samples(image, beginning), camera=camera), several
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name} is too large to decode safely: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{name} needs more memory than there is; make it smaller") from error
    except ImageError as error:
        if name in str(error):
            raise
        raise ImageError(f"{name}: {error}") from error
    # A header that is cut off or damaged ends in almost anything too.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise ImageError(f"{name} cannot be read: {error.strerror}") from error
        raise ImageError(f"{name} is damaged or cut off: {error}") from error


def _identified(kind: PictureFormat, file: BinaryIO, name: str) -> Image.Image:
    """The picture before it is decoded, by the decoder of its format alone.

    Image.open() would offer it to 43, of which that of EPS starts Ghostscript; with ``formats`` it would still import
    five that are not asked for.
    """
    if kind is JPEG:
        check_scans(file.read())
    elif kind is TIFF:
        check_strips(file)
    file.seek(0)
    try:
        image = Image.OPEN[kind.kind][0](file, "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise ImageError(f"{name} is damaged, or {kind.kind} of a sort that is not read") from error
    check_pixels(image.width, image.height, name)
    return image


def check_pixels(width: int, height: int, name: str) -> None:
    """Raise :class:`TooLargeError` for a picture of that size, where it is more than may be held in memory."""
    most = most_pixels()
    if most is not None and width * height > most:
        raise TooLargeError(f"{name} is too large to decode safely: {width}x{height}, more than {most} pixels")


def most_pixels() -> int | None:
    """The most pixels that a picture may have to be decoded; ``None`` where there is no limit."""
    return None if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


def _has_more_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what is damaged behind the first frame does not matter
        return True


def _decode(image: Image.Image, name: str, stored: StoredSamples, *, camera: bool) -> Decoded:
    if 0 in image.size:  # which Pillow lets a program make
        raise ImageError(f"{name} has no pixels: it is {image.width}x{image.height}")
    # The tags of a TIFF are read from its file, which is let go with the samples; those of a PNG may stand at its end.
    exif = read_exif(image) if camera and image.format == "TIFF" else None
    try:
        image.load()
    except MemoryError:
        raise
    # Pillow's decoders raise almost anything on damaged data (OSError, SyntaxError, EOFError, struct.error ...).
    except Exception as error:
        raise ImageError(f"{name} is damaged or cut off: {error}") from error
    if camera and image.format != "TIFF":
        exif = read_exif(image)
    xmp = xmp_of(image) if camera else None
    turn = _TURNS.get(orientation(image))
    upright = image if turn is None else _kept(image, image.transpose(turn))
    if upright.mode.startswith("I") or upright.mode == "F":
        samples = gray_16(upright)
        if 8 < stored.bits < 16:
            samples = (samples.astype(np.uint32) * 65535 // (2**stored.bits - 1)).astype(np.uint16)
        return Decoded(_kept(upright, Image.fromarray(65535 - samples if stored.inverted else samples)), exif, xmp)
    upright = _in_plain_colors(upright, stored)
    lost = []
    if image.mode in ("CMYK", "LAB"):
        lost.append(f"read as RGB instead of {image.mode}")
    if stored.bits > 8:
        lost.append("read with 8 bits a sample, only gray keeps 16")
        if isinstance(upright.info.pop("transparency", None), tuple):
            lost.append("read as opaque, for its transparent colour has 16 bits")
    return Decoded(upright, exif, xmp, tuple(lost))


def _kept(source: Image.Image, image: Image.Image) -> Image.Image:
    """``image`` with what of the source's info still holds."""
    image.info = {key: source.info[key] for key in ("icc_profile", "transparency") if key in source.info}
    return image


def _in_plain_colors(image: Image.Image, stored: StoredSamples) -> Image.Image:
    """The picture in one of the modes of :class:`Decoded` of 8 bits, with what of its info still holds."""
    if image.mode in ("La", "RGBa"):
        return _kept(image, image.convert(image.mode.upper()))
    if stored.gray:
        return _kept(image, image.convert("LA"))
    if image.mode in _PLAIN_MODES:
        if image.mode == "L" and "transparency" in image.info:
            image.info["transparency"] = stored.transparent(image.info["transparency"])
        return image
    if image.mode == "YCbCr":  # which is how RGB is stored, and has its profile
        return _kept(image, image.convert("RGB"))
    plain = _by_profile(image) or image.convert("RGB")
    plain.info = {}
    return plain


def _by_profile(image: Image.Image) -> Image.Image | None:
    """CMYK in sRGB as the colour profile of its inks says; ``None`` without one that can be used."""
    profile = image.info.get("icc_profile")
    if image.mode != "CMYK" or not profile:
        return None
    from PIL import ImageCms

    try:
        inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(
            image,
            inks,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or of other colours
        return None


def _from_array(array: NDArray[Any]) -> Image.Image:
    pixels, alpha = array_samples(array)
    if pixels.dtype == np.uint16 and pixels.shape[2] == 1 and alpha is None:
        return Image.fromarray(pixels[:, :, 0])
    pixels = in_8_bits(pixels)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if alpha is not None:
        image.putalpha(Image.fromarray(in_8_bits(alpha)))
    return image


def gray_16(image: Image.Image) -> NDArray[np.uint16]:
    """The samples (H, W) of gray in one of Pillow's modes I, I;16 ... and F; :class:`ImageError` outside 16 bits."""
    if image.mode == "F":
        raise ImageError("floating-point pictures have no defined range; save it as 8 or 16 bits a channel")
    samples = np.asarray(image)
    if samples.dtype != np.uint16 and (samples.min() < 0 or samples.max() > 65535):
        raise ImageError(f"gray samples must lie in 0..65535, not in {samples.min()}..{samples.max()}")
    return samples.astype(np.uint16)


def opacity_16(image: Image.Image) -> NDArray[np.uint16] | None:
    """The alpha (H, W) of 16-bit gray in which one value stands for transparent (tRNS); ``None`` without."""
    value = image.info.get("transparency")
    if not isinstance(value, int):
        return None
    return np.where(gray_16(image) == value, 0, 65535).astype(np.uint16)


def gray_8(image: Image.Image) -> Image.Image:
    """16-bit gray in 8 bits, mode L or LA, scaled where Pillow's convert() would clip to white."""
    gray = Image.fromarray((gray_16(image) / np.float32(257)).round().astype(np.uint8))
    opacity = opacity_16(image)
    if opacity is not None:
        gray.putalpha(Image.fromarray((opacity >> 8).astype(np.uint8)))
    return gray


def _to_8_bit(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        image = gray_8(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB").convert(mode)
