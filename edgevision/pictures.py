"""Pictures that are to come out as they went in: their depth, alpha, colour profile and camera data kept."""

import contextlib
import io
import logging
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.errors import ImageError, OutputError
from edgevision.files import atomic_file
from edgevision.images import ImageSource, read_image

_log = logging.getLogger(__name__)

Samples = NDArray[np.uint8] | NDArray[np.uint16]

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_WITHOUT_ALPHA = ("JPEG", "BMP")
_WITH_16_BITS = ("PNG", "TIFF")


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture and what its file said beside the pixels.

    Attributes:
        pixels: (H, W, 1) for gray or (H, W, 3) for RGB, uint8, or uint16 for 16-bit gray.
        alpha: opacity (H, W) of the same dtype, or ``None``.
        icc_profile, exif: as in the file, the orientation removed; ``None`` without.
    """

    pixels: Samples
    alpha: Samples | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None

    @classmethod
    def read(cls, source: ImageSource) -> Self:
        """Decode a picture; palettes, CMYK and other colour spaces become RGB, 16-bit gray stays what it is.

        Raises:
            ImageError: as :func:`edgevision.images.read_image`, and for samples without a defined range.
        """
        image = read_image(source)
        icc_profile = image.info.get("icc_profile")
        if image.mode not in ("L", "LA", "RGB", "RGBA", "1", "P", "PA") and not image.mode.startswith("I"):
            icc_profile = None  # it describes the colours that are about to be converted
        camera = _camera_data(image)
        if image.mode.startswith("I"):
            return cls(_16_bit(image)[:, :, None], None, icc_profile, camera)
        if image.mode == "F":
            raise ImageError("floating-point pictures have no defined range; save it as 8 or 16 bits a channel")
        transparent = image.has_transparency_data
        gray = image.mode in ("L", "LA", "1")
        mode = ("LA" if transparent else "L") if gray else ("RGBA" if transparent else "RGB")
        samples = np.asarray(image.convert(mode))
        channels = 1 if gray else 3
        samples = samples.reshape(*samples.shape[:2], -1)
        alpha = samples[:, :, channels] if transparent else None
        return cls(samples[:, :, :channels], alpha, icc_profile, camera)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def maximum(self) -> int:
        """The sample that stands for white: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def with_pixels(self, pixels: Samples, alpha: Samples | None) -> Self:
        """Other pixels, the rest kept."""
        return replace(self, pixels=pixels, alpha=alpha)

    def to_pillow(self) -> Image.Image:
        """The picture for Pillow, in mode L, LA, RGB, RGBA or I;16."""
        pixels = self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels
        if self.alpha is None or pixels.dtype == np.uint16:
            return Image.fromarray(pixels)
        image = Image.fromarray(pixels)
        image.putalpha(Image.fromarray(self.alpha))
        return image

    def save(self, path: str | os.PathLike[str], *, quality: int = 95) -> None:
        """Write the picture in the format of the name; ``quality`` (1 to 100) is that of JPEG and lossy WebP.

        What the format cannot hold is given up with a remark: transparency is laid on white, 16 bits become 8.

        Raises:
            OutputError: the name's ending is none of a format that can be written, or the folder cannot be.
            DiskFullError: no space left; an earlier file is untouched.
        """
        target = Path(path)
        kind = picture_format(target)
        encoded = self.encode(kind, quality=quality, name=target.name)
        with atomic_file(target) as temporary:
            temporary.write_bytes(encoded)

    def encode(self, kind: str, *, quality: int = 95, name: str = "the picture") -> bytes:
        """The file's bytes in Pillow's format ``kind``, as :func:`picture_format` names it."""
        image = self.to_pillow()
        if image.mode == "I;16" and kind not in _WITH_16_BITS:
            _log.warning("%s: %s has no 16 bits, written with 8", name, kind)
            image = Image.fromarray((self.pixels[:, :, 0] / 257).round().astype(np.uint8))
        if image.mode in ("LA", "RGBA") and kind in _WITHOUT_ALPHA:
            _log.warning("%s: %s has no transparency, laid on white", name, kind)
            background = Image.new(image.mode, image.size, "white")
            image = Image.alpha_composite(background.convert("RGBA"), image.convert("RGBA")).convert(
                "L" if image.mode == "LA" else "RGB"
            )
        settings: dict[str, dict[str, Any]] = {
            "PNG": {"compress_level": 4},
            "JPEG": {"quality": quality, "subsampling": 0 if quality >= 90 else 2},
            "WEBP": {"quality": quality, "lossless": quality == 100},
            "TIFF": {"compression": "tiff_lzw"},
            "BMP": {},
        }
        options = settings[kind]
        if self.icc_profile is not None and kind != "BMP":
            options["icc_profile"] = self.icc_profile
        if self.exif is not None and kind != "BMP":
            options["exif"] = self.exif
            # libtiff, which compresses, cannot write them.
            options.pop("compression", None)
        try:
            return _encoded(image, kind, options)
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{name}: {kind} cannot hold this picture of {image.width}x{image.height}: {error}"
            ) from error


def picture_format(path: Path) -> str:
    """Pillow's name of the format that the file name asks for; :class:`OutputError` where there is none."""
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"{path.name!r} does not end in a format that can be written ({', '.join(_FORMATS)})"
        ) from None


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    # Pillow's encoders hold Python's lock unless they write to a file of the system's.
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError), os.fdopen(os.memfd_create("picture"), "w+b") as file:
            image.save(file, kind, **options)
            file.seek(0)
            return file.read()
    # Either there is none, or the size of files is limited; what is wrong with the picture comes up again.
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _camera_data(image: Image.Image) -> bytes | None:
    """The EXIF block without the orientation; ``None`` where there is none, or a damaged one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = image.getexif()
            exif.pop(0x0112, None)
            return exif.tobytes() if len(exif) else None
        except Exception:  # Pillow raises almost anything on damaged data, which are not worth losing the picture for
            return None


def _16_bit(image: Image.Image) -> NDArray[np.uint16]:
    samples = np.asarray(image)
    if samples.min() < 0 or samples.max() > 65535:
        raise ImageError(f"gray samples must lie in 0..65535, not in {samples.min()}..{samples.max()}")
    return samples.astype(np.uint16)
