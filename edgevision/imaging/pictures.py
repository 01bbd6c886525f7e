"""Pictures that are to come out as they went in: their depth, alpha, colour profile and camera data kept."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.atomic_files import atomic_file
from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.images import decode, gray_16, opacity_16, remark_once
from edgevision.imaging.picture_formats import PNG, PictureFormat, written_format
from edgevision.imaging.picture_sources import ArrayColor, ImageSource, array_samples, interleaved
from edgevision.imaging.picture_writing import file_parts
from edgevision.imaging.samples import Samples, as_float, in_8_bits, luma_of, white
from edgevision.imaging.tiling import row_strips
from edgevision.metrics.figures import psnr_db, ssim

_SHOWN_SIDE = 1024
"""Of a picture in a notebook, which keeps what it shows in its file."""


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """An upright picture and what its file said beside the pixels.

    ``numpy.asarray`` gives its samples as other programs have them: (H, W) for gray, (H, W, 3) for colours, the alpha
    as a further channel.

    Attributes:
        pixels: (H, W, 1) for gray or (H, W, 3) for RGB; uint8, uint16, or float32 in 0..1.
        alpha: opacity (H, W) of the same dtype, or ``None``.
        icc_profile: of these colours, as in the file; ``None`` without.
        exif, xmp: the camera's data and the owner's notes, without what describes the samples; ``None`` without.
        array_color: the order of channels in arrays made of it; that of ``pixels`` is always RGB.
    """

    pixels: Samples
    alpha: Samples | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    array_color: ArrayColor = "rgb"

    @classmethod
    def read(cls, source: ImageSource, *, name: str = "the picture") -> Self:
        """Decode a picture; palettes, CMYK and other colour spaces become RGB, 16-bit gray stays what it is.

        What is not read, as further frames and the depth of 16-bit colours in files, is given up with a remark.

        Raises:
            ImageError: as :func:`edgevision.imaging.images.read_image`, and for samples without a defined range.
            TypeError, ValueError: an array of another dtype or shape than those of :data:`ImageSource`.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, np.ndarray):
            pixels, alpha = array_samples(source)
            return cls(pixels.copy(), None if alpha is None else alpha.copy())
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
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def maximum(self) -> int:
        """The sample that stands for white: 255, 65535, or 1 in floats."""
        return white(self.pixels.dtype)

    def with_pixels(self, pixels: Samples, alpha: Samples | None) -> Self:
        """Other pixels, the rest kept."""
        return replace(self, pixels=pixels, alpha=alpha)

    def with_array_color(self, color: ArrayColor) -> Self:
        """The same picture, of which arrays are made in another order of channels."""
        return self if color == self.array_color else replace(self, array_color=color)

    def rows(self, top: int, bottom: int) -> Self:
        """A view of the rows from ``top`` up to ``bottom``."""
        return self.with_pixels(self.pixels[top:bottom], None if self.alpha is None else self.alpha[top:bottom])

    def in_8_bits(self) -> Self:
        """The picture with samples of uint8."""
        return self.with_pixels(in_8_bits(self.pixels), None if self.alpha is None else in_8_bits(self.alpha))

    def to_pillow(self) -> Image.Image:
        """The picture for Pillow, in mode L, LA, RGB, RGBA or I;16.

        Pillow has 16 bits for gray without alpha only. Where that is all or nothing, one value stands for transparent,
        which is ``info["transparency"]`` as in a PNG; anything else of more than 8 bits comes in 8.
        """
        pixels = self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels
        if pixels.dtype == np.uint16 and pixels.ndim == 2:
            if self.alpha is None:
                return Image.fromarray(pixels)
            marked = _marked_transparent(pixels, self.alpha)
            if marked is not None:
                return marked
        if pixels.dtype != np.uint8:
            return self.in_8_bits().to_pillow()
        image = Image.fromarray(pixels)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        return image

    def save(self, path: str | os.PathLike[str], *, quality: int = 95, force: bool = True) -> None:
        """Write the picture in the format of the name; ``quality`` (1 to 100) is that of JPEG and lossy WebP.

        What the format cannot hold is given up with a remark: transparency is laid on white, 16 bits become 8.

        Raises:
            OutputError: the name's ending is none of a format that can be written, or the folder cannot be, or
                without ``force`` the file exists.
            DiskFullError: no space left; an earlier file is untouched.
        """
        target = Path(path)
        parts = file_parts(self, written_format(target), quality=quality, name=target.name)
        first = next(parts)  # what cannot be held is told before there is anything on the disk
        with atomic_file(target, force=force) as temporary, temporary.open("wb") as file:
            file.write(first)
            file.writelines(parts)

    def encode(self, kind: PictureFormat, *, quality: int = 95, name: str = "the picture") -> bytes:
        """The file's bytes in the format ``kind``; remarks and errors call it ``name``."""
        return b"".join(file_parts(self, kind, quality=quality, name=name))

    def to_dict(self) -> dict[str, Any]:
        """Width, height, number of colours, dtype, and whether there is alpha; the samples are no text."""
        height, width, channels = self.pixels.shape
        alpha = self.alpha is not None
        dtype = str(self.pixels.dtype)
        return {"width": width, "height": height, "channels": channels, "dtype": dtype, "alpha": alpha}

    def to_rows(self) -> list[dict[str, Any]]:
        """:meth:`to_dict`, for a table of many."""
        return [self.to_dict()]

    def compare(self, reference: "Picture") -> dict[str, float]:
        """``psnr`` in dB and ``ssim`` of the luma; transparency is left out.

        Raises:
            ValueError: they are of different sizes, or one is gray and the other not.
        """
        if self.pixels.shape != reference.pixels.shape:
            raise ValueError(f"pictures to compare must be of one size, not {self!r} and {reference!r}")
        similarity = ssim(luma_of(reference.pixels), luma_of(self.pixels))
        return {"psnr": psnr_db(as_float(reference.pixels), as_float(self.pixels)), "ssim": similarity}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = interleaved(self.pixels, self.alpha, self.array_color)
        return requested_array(array, dtype, copy, shared=np.may_share_memory(array, self.pixels))

    def __repr__(self) -> str:
        colors = "gray" if self.pixels.shape[2] == 1 else "RGB"
        alpha = "" if self.alpha is None else " with alpha"
        order = "" if self.array_color == "rgb" else f", arrays in {self.array_color.upper()}"
        return f"Picture(width={self.width}, height={self.height}, {self.pixels.dtype} {colors}{alpha}{order})"

    def _repr_png_(self) -> bytes:
        image = self.in_8_bits().to_pillow()
        image.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        return type(self).read(image).encode(PNG)


def _marked_transparent(pixels: NDArray[Any], alpha: NDArray[Any]) -> Image.Image | None:
    """16-bit gray with a value of its own for what is transparent; ``None`` where that is not all or nothing."""
    hidden = alpha == 0
    free = np.setdiff1d(np.arange(65536), pixels[~hidden])
    if len(free) == 0 or not (hidden | (alpha == 65535)).all():
        return None
    image = Image.fromarray(np.where(hidden, free[0], pixels).astype(np.uint16))
    image.info["transparency"] = int(free[0])
    return image


def _name(source: ImageSource, name: str) -> str:
    return repr(os.fspath(source)) if isinstance(source, str | os.PathLike) else name
