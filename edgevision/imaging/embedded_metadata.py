"""What is written beside a picture's samples, as far as the format holds it: colour profile, camera data and notes."""

import io
import re
from collections.abc import Iterator
from typing import Any

from PIL import Image

from edgevision.imaging.exif import for_size
from edgevision.imaging.picture_formats import PNG, TIFF, WEBP, PictureFormat

_XMP_OF_PNG = "XML:com.adobe.xmp"
_XMP_OF_TIFF = 700

# What describes the samples, their size or what else lay in the file, as attributes and as elements.
_ABOUT_SAMPLES = (
    rb"(?:tiff:(?:Orientation|Image(?:Width|Length)|BitsPerSample|Compression|PhotometricInterpretation|SamplesPerPixel"
    rb"|PlanarConfiguration|YCbCr\w+|NativeDigest)|exif:(?:Pixel[XY]Dimension|ColorSpace|NativeDigest)|xmp:Thumbnails"
    rb"|xmpNote:HasExtendedXMP|hdrgm:\w+|GCamera:\w+)"
)
_ATTRIBUTE = re.compile(rb"\s" + _ABOUT_SAMPLES + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_ELEMENT = re.compile(rb"<(" + _ABOUT_SAMPLES + rb")\b[^>]*(?:/>|>.*?</\1>)", re.DOTALL)


def xmp_of(image: Image.Image) -> bytes | None:
    """The XMP packet of a decoded picture without what describes its samples; ``None`` without one."""
    packet = image.info.get("xmp") or image.info.get(_XMP_OF_PNG)
    if isinstance(packet, str):
        packet = packet.encode()
    return _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", packet)) if isinstance(packet, bytes) else None


def fitting_extras(
    kind: PictureFormat,
    mode: str,
    size: tuple[int, int],
    *,
    icc_profile: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
) -> tuple[dict[str, Any], list[str]]:
    """The arguments with which Pillow writes them into a file, and the names of what does not fit."""
    lost: list[str] = []
    gray = mode in ("L", "LA", "I;16") and kind is not WEBP
    # Bytes 16 to 19 of a profile name the colours that it is of.
    if icc_profile is not None and icc_profile[16:20] != (b"GRAY" if gray else b"RGB "):
        lost.append("the colour profile (of other colours)")
        icc_profile = None
    small = Image.new(mode, (1, 1))
    found: dict[str, Any] = {}
    for named in (_profiles(icc_profile), _camera(exif, size), _notes(kind, xmp)):
        for name, arguments in named:
            if kind.metadata and _can_be_written(small, kind, found | arguments):
                found |= arguments
                break
            lost.append(name)
    if kind is TIFF and "xmp" in found:
        found["exif"] = _with_xmp(found.get("exif"), found.pop("xmp"))
    return found, lost


Named = Iterator[tuple[str, dict[str, Any]]]
"""What is tried one after the other until something fits, and what is lost where it does not."""


def _profiles(icc_profile: bytes | None) -> Named:
    if icc_profile is not None:
        yield "the colour profile", {"icc_profile": icc_profile}


def _camera(exif: bytes | None, size: tuple[int, int]) -> Named:
    if exif is not None:
        whole, small = (for_size(exif, *size, bulky=bulky) for bulky in (True, False))
        if small != whole:
            yield "the maker's notes and comments of the camera data", {"exif": whole}
        yield "the camera data", {"exif": small}


def _notes(kind: PictureFormat, xmp: bytes | None) -> Named:
    if xmp is None:
        return
    if kind is PNG:
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt(_XMP_OF_PNG, xmp.decode(errors="replace"))
        yield "the notes (XMP)", {"pnginfo": info}
    else:
        yield "the notes (XMP)", {"xmp": xmp}


def _with_xmp(exif: bytes | None, xmp: bytes) -> bytes:
    tags = Image.Exif()
    if exif is not None:
        tags.load(exif)
    tags[_XMP_OF_TIFF] = xmp
    return tags.tobytes()


def _can_be_written(image: Image.Image, kind: PictureFormat, arguments: dict[str, Any]) -> bool:
    try:
        image.save(io.BytesIO(), kind.kind, **arguments)
    except Exception:  # Pillow raises almost anything for data of a kind it did not expect
        return False
    return True
