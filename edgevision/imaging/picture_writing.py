"""Writing a picture as a file: what the format cannot hold is given up with a remark, large ones go in strips."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edgevision.core.errors import OutputError
from edgevision.imaging.deep_png import deep_png_parts
from edgevision.imaging.embedded_metadata import fitting_extras
from edgevision.imaging.picture_formats import JPEG, PNG, TIFF, PictureFormat
from edgevision.imaging.strip_encoding import JPEG_ROWS, Strip, jpeg_parts, png_parts

if TYPE_CHECKING:
    from edgevision.imaging.pictures import Picture

_log = logging.getLogger(__name__)

# What Pillow gets of a larger picture at a time to encode, where the format allows that.
_PIXELS_AT_ONCE = 1 << 19

_BYTES_AT_ONCE = 1 << 20


def file_parts(picture: "Picture", kind: PictureFormat, *, quality: int, name: str) -> Iterator[bytes]:
    """The bytes of a file in the format ``kind``, in parts; remarks and errors call it ``name``.

    Raises:
        OutputError: the format cannot hold the picture.
    """
    height, width = picture.height, picture.width
    if max(height, width) > kind.longest_side:
        raise OutputError(
            f"{name}: {kind.kind} cannot hold this picture of {width}x{height}: its sides may have"
            f" {kind.longest_side} pixels; choose another ending"
        )
    # Pillow writes neither colours nor half transparent gray with 16 bits.
    deep = kind is PNG and picture.pixels.dtype == np.uint16 and picture.to_pillow().mode != "I;16"
    strip = _strips(picture.in_8_bits() if deep else picture, kind, name)
    mode = strip(0, 1).mode
    extras, lost = fitting_extras(
        kind, mode, (width, height), icc_profile=picture.icc_profile, exif=picture.exif, xmp=picture.xmp
    )
    if lost:
        _log.warning("%s: %s cannot hold %s, left out", name, kind.kind, " and ".join(lost))
    options = _options(kind, quality, plain="exif" not in extras) | extras
    least = JPEG_ROWS if kind is JPEG else 1
    rows = max(_PIXELS_AT_ONCE // width // least, 1) * least

    def encode(image: Image.Image, **options: Any) -> bytes:
        return b"".join(_encoded_parts(image, kind.kind, **options))

    try:
        if deep:
            samples = picture.pixels, picture.alpha
            yield from deep_png_parts(samples, encode, level=options.pop("compress_level"), **options)
        elif height <= rows or kind not in (PNG, JPEG):
            yield from _encoded_parts(strip(0, height), kind.kind, **options)
        elif kind is PNG:
            yield from png_parts(height, rows, strip, encode, level=options.pop("compress_level"), **options)
        else:
            yield from jpeg_parts(height, rows, strip, encode, **options)
    except (OSError, ValueError) as error:
        raise OutputError(f"{name}: {kind.kind} cannot hold this picture of {width}x{height}: {error}") from error


def _strips(picture: "Picture", kind: PictureFormat, name: str) -> Strip:
    """The picture's rows in a mode that the format has."""
    if picture.pixels.dtype == np.float32:
        return _strips(picture.in_8_bits(), kind, name)
    if picture.pixels.dtype == np.uint16:
        image = picture.to_pillow()
        if image.mode == "I;16" and kind.deep and (kind is PNG or picture.alpha is None):
            return lambda top, bottom: image.crop((0, top, image.width, bottom))
        lost = "colours" if picture.pixels.shape[2] == 3 else "such transparency"
        why = f"Pillow writes no {lost} with 16 bits" if kind.deep else f"{kind.kind} has no 16 bits"
        _log.warning("%s: %s, written with 8", name, why)
        return _strips(picture.in_8_bits(), kind, name)
    if picture.alpha is None or kind.alpha:
        return lambda top, bottom: picture.rows(top, bottom).to_pillow()
    if picture.alpha.min() < picture.maximum:  # that of a screenshot is opaque
        _log.warning("%s: %s has no transparency, laid on white", name, kind.kind)
    return lambda top, bottom: _on_white(picture.rows(top, bottom).to_pillow())


def _on_white(image: Image.Image) -> Image.Image:
    """Of mode LA or RGBA in L or RGB."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("L" if image.mode == "LA" else "RGB")


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
