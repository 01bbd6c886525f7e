"""Pictures that are to come out as they went in: their depth, alpha, colour profile and camera data kept."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import OutputError
from edgevision.imaging.embedded_metadata import fitting_extras
from edgevision.imaging.images import ImageSource, decode, gray_16, opacity_16, remark_once
from edgevision.imaging.picture_formats import JPEG, PNG, TIFF, PictureFormat, written_format
from edgevision.imaging.strip_encoding import JPEG_ROWS, Strip, jpeg_parts, png_parts
from edgevision.imaging.tiling import row_strips

_log = logging.getLogger(__name__)

Samples = NDArray[np.uint8] | NDArray[np.uint16]


# What Pillow gets of a larger picture at a time to encode, where the format allows that.
_PIXELS_AT_ONCE = 1 << 19

_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture and what its file said beside the pixels.

    Attributes:
        pixels: (H, W, 1) for gray or (H, W, 3) for RGB, uint8, or uint16 for 16-bit gray.
        alpha: opacity (H, W) of the same dtype, or ``None``.
        icc_profile: of these colours, as in the file; ``None`` without.
        exif, xmp: the camera's data and the owner's notes, without what describes the samples; ``None`` without.
    """

    pixels: Samples
    alpha: Samples | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    @classmethod
    def read(cls, source: ImageSource, *, name: str = "the picture") -> Self:
        """Decode a picture; palettes, CMYK and other colour spaces become RGB, 16-bit gray stays what it is.

        What is not read, as further frames and the depth of 16-bit colours, is given up with a remark.

        Raises:
            ImageError: as :func:`edgevision.imaging.images.read_image`, and for samples without a defined range.
        """
        decoded = decode(source, name=name, camera=True)
        image, icc_profile = decoded.image, decoded.image.info.get("icc_profile")
        for lost in decoded.lost:
            remark_once(f"{_name(source, name)} is {lost}")
        if image.mode.startswith("I"):
            return cls(gray_16(image)[:, :, None], opacity_16(image), icc_profile, decoded.exif, decoded.xmp)
        transparent = image.has_transparency_data
        gray = image.mode in ("L", "LA", "1")
        mode = ("LA" if transparent else "L") if gray else ("RGBA" if transparent else "RGB")
        pixels = np.empty((image.height, image.width, 1 if gray else 3), np.uint8)
        alpha = np.empty(pixels.shape[:2], np.uint8) if transparent else None
        # Pillow would copy all of a picture twice.
        for rows in row_strips(image.height, image.width):
            strip = image.crop((0, rows.start, image.width, rows.stop))
            samples = np.asarray(strip.convert(mode)).reshape(strip.height, strip.width, -1)
            pixels[rows] = samples[:, :, : pixels.shape[2]]
            if alpha is not None:
                alpha[rows] = samples[:, :, -1]
        return cls(pixels, alpha, icc_profile, decoded.exif, decoded.xmp)

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

    def rows(self, top: int, bottom: int) -> Self:
        """A view of the rows from ``top`` up to ``bottom``."""
        return self.with_pixels(self.pixels[top:bottom], None if self.alpha is None else self.alpha[top:bottom])

    def to_pillow(self) -> Image.Image:
        """The picture for Pillow, in mode L, LA, RGB, RGBA or I;16.

        Pillow has no 16-bit gray with alpha. Where that is all or nothing, one value stands for transparent, which is
        ``info["transparency"]`` as in a PNG; otherwise both come in 8 bits.
        """
        pixels = self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels
        if self.alpha is None:
            return Image.fromarray(pixels)
        if pixels.dtype == np.uint16:
            return _marked_transparent(pixels, self.alpha) or self._in_8_bits().to_pillow()
        image = Image.fromarray(pixels)
        image.putalpha(Image.fromarray(self.alpha))
        return image

    def _in_8_bits(self) -> Self:
        alpha = None if self.alpha is None else _in_8_bits(self.alpha)
        return self.with_pixels(_in_8_bits(self.pixels), alpha)

    def save(self, path: str | os.PathLike[str], *, quality: int = 95, force: bool = True) -> None:
        """Write the picture in the format of the name; ``quality`` (1 to 100) is that of JPEG and lossy WebP.

        What the format cannot hold is given up with a remark: transparency is laid on white, 16 bits become 8.

        Raises:
            OutputError: the name's ending is none of a format that can be written, or the folder cannot be, or
                without ``force`` the file exists.
            DiskFullError: no space left; an earlier file is untouched.
        """
        target = Path(path)
        parts = self._parts(written_format(target), quality=quality, name=target.name)
        first = next(parts)  # what cannot be held is told before there is anything on the disk
        with atomic_file(target, force=force) as temporary, temporary.open("wb") as file:
            file.write(first)
            file.writelines(parts)

    def encode(self, kind: PictureFormat, *, quality: int = 95, name: str = "the picture") -> bytes:
        """The file's bytes in the format ``kind``; remarks and errors call it ``name``."""
        return b"".join(self._parts(kind, quality=quality, name=name))

    def _parts(self, kind: PictureFormat, *, quality: int, name: str) -> Iterator[bytes]:
        height, width = self.size
        if max(height, width) > kind.longest_side:
            raise OutputError(
                f"{name}: {kind.kind} cannot hold this picture of {width}x{height}: its sides may have"
                f" {kind.longest_side} pixels; choose another ending"
            )
        strip = self._strips(kind, name)
        mode = strip(0, 1).mode
        extras, lost = fitting_extras(
            kind, mode, (width, height), icc_profile=self.icc_profile, exif=self.exif, xmp=self.xmp
        )
        if lost:
            _log.warning("%s: %s cannot hold %s, left out", name, kind.kind, " and ".join(lost))
        options = _options(kind, quality, plain="exif" not in extras) | extras
        least = JPEG_ROWS if kind is JPEG else 1
        rows = max(_PIXELS_AT_ONCE // width // least, 1) * least

        def encode(image: Image.Image, **options: Any) -> bytes:
            return b"".join(_encoded_parts(image, kind.kind, **options))

        try:
            if height <= rows or kind not in (PNG, JPEG):
                yield from _encoded_parts(strip(0, height), kind.kind, **options)
            elif kind is PNG:
                yield from png_parts(height, rows, strip, encode, level=options.pop("compress_level"), **options)
            else:
                yield from jpeg_parts(height, rows, strip, encode, **options)
        except (OSError, ValueError) as error:
            raise OutputError(f"{name}: {kind.kind} cannot hold this picture of {width}x{height}: {error}") from error

    def _strips(self, kind: PictureFormat, name: str) -> Strip:
        """The picture's rows in a mode that the format has."""
        if self.pixels.dtype == np.uint16:
            image = self.to_pillow()
            if image.mode == "I;16" and kind.deep and (kind is PNG or self.alpha is None):
                return lambda top, bottom: image.crop((0, top, image.width, bottom))
            why = "Pillow writes no such transparency with 16 bits" if kind.deep else f"{kind.kind} has no 16 bits"
            _log.warning("%s: %s, written with 8", name, why)
            return self._in_8_bits()._strips(kind, name)
        if self.alpha is None or kind.alpha:
            return lambda top, bottom: self.rows(top, bottom).to_pillow()
        if self.alpha.min() < self.maximum:  # that of a screenshot is opaque
            _log.warning("%s: %s has no transparency, laid on white", name, kind.kind)
        return lambda top, bottom: _on_white(self.rows(top, bottom).to_pillow())


def _on_white(image: Image.Image) -> Image.Image:
    """Of mode LA or RGBA in L or RGB."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("L" if image.mode == "LA" else "RGB")


def _marked_transparent(pixels: NDArray[Any], alpha: NDArray[Any]) -> Image.Image | None:
    """16-bit gray with a value of its own for what is transparent; ``None`` where that is not all or nothing."""
    hidden = alpha == 0
    free = np.setdiff1d(np.arange(65536), pixels[~hidden])
    if len(free) == 0 or not (hidden | (alpha == 65535)).all():
        return None
    image = Image.fromarray(np.where(hidden, free[0], pixels).astype(np.uint16))
    image.info["transparency"] = int(free[0])
    return image


def _options(kind: PictureFormat, quality: int, *, plain: bool) -> dict[str, Any]:
    if kind is TIFF and not plain:
        return {}  # libtiff, which compresses, cannot write camera data
    options: dict[str, dict[str, Any]] = {
        "PNG": {"compress_level": 4},
        "JPEG": {"quality": quality, "subsampling": 0 if quality >= 90 else 2},
        # Exactly: the colours of what is transparent too.
        "WEBP": {"quality": quality, "lossless": quality == 100, "exact": True},
        "TIFF": {"compression": "tiff_lzw"},
    }
    return options.get(kind.kind, {})


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file in Pillow's format ``kind``.

    Raises:
        OSError, ValueError: the format cannot hold the picture.
    """
    return b"".join(_encoded_parts(image, kind, **options))


def _encoded_parts(image: Image.Image, kind: str, **options: Any) -> Iterator[bytes]:
    # Pillow's encoders hold Python's lock unless they write to a file of the system's. Nothing tells when such a file
    # took less than they gave it, which only a limit on the size of files can cause for one in memory.
    if hasattr(os, "memfd_create") and not _file_size_is_limited():
        with contextlib.suppress(OSError), os.fdopen(os.memfd_create("picture"), "w+b") as file:
            image.save(file, kind, **options)
            file.seek(0)
            yield from iter(lambda: file.read(_BYTES_AT_ONCE), b"")
            return
    # What is wrong with the picture comes up again.
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    yield stream.getvalue()


def _file_size_is_limited() -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _in_8_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    result = np.empty(samples.shape, np.uint8)
    for rows in row_strips(*samples.shape[:2]):
        result[rows] = (samples[rows] / np.float32(257)).round()
    return result


def _name(source: ImageSource, name: str) -> str:
    return repr(os.fspath(source)) if isinstance(source, str | os.PathLike) else name
