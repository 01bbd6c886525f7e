"""EXIF: what the camera and its owner said of a picture, apart from what describes how the samples are stored."""

import warnings
from typing import Any

from PIL import Image

_ORIENTATION = 0x0112
_EXIF, _GPS, _INTEROPERABILITY, _MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x927C
_WIDTH, _HEIGHT = 0xA002, 0xA003

# Of the main directory: description, maker, model, resolution and its unit, software, date, artist, host computer,
# copyright, rating, IPTC's record and the titles that Windows writes. What else TIFF keeps there tells a reader how to
# decode the samples (palette, inks, strips, planes ...) and would be wrong of any others.
_MAIN_TAGS = frozenset(
    {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432, 33723, 40091, 40092, 40093, 40094, 40095}
)
# Of the EXIF directory: all of the standard's but how the JPEG was compressed (37121, 37122) and what is set anew.
_EXIF_TAGS = (
    frozenset({33434, 33437, *range(34850, 34870), *range(36864, 36870), *range(36880, 36900)})
    | frozenset({*range(37377, 37401), *range(37500, 37530), *range(37888, 37900), *range(40960, 40965)})
    | frozenset({*range(41483, 41500), *range(41728, 41740), *range(41985, 42000), *range(42016, 42120), 42240})
) - {_WIDTH, _HEIGHT, _INTEROPERABILITY}
_GPS_TAGS = frozenset(range(32))
# What the colour space of the EXIF directory leaves open, Adobe's RGB for one.
_INTEROPERABILITY_TAGS = frozenset({1, 2})
# A maker's own data and a comment can be of any length.
_BULKY_TAGS = frozenset({_MAKER_NOTE, 37510})


def orientation(image: Image.Image) -> int:
    """How the camera was held, 1 to 8 as in EXIF; 1, upright, where nothing intelligible says otherwise."""
    value = _all(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def read_exif(image: Image.Image) -> bytes | None:
    """The EXIF block of a picture whose file is still open, without thumbnail, orientation and all about the samples.

    ``None`` where there is none, or a damaged one, which is not worth losing the picture for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source = _all(image)
            exif = Image.Exif()
            exif.endian = source.endian
            exif.update(_chosen(source, _MAIN_TAGS))
            inner = _chosen(source.get_ifd(_EXIF), _EXIF_TAGS)
            interoperability = _chosen(source.get_ifd(_INTEROPERABILITY), _INTEROPERABILITY_TAGS) if inner else None
            if interoperability:
                inner[_INTEROPERABILITY] = interoperability
            for directory, tags in ((_EXIF, inner), (_GPS, _chosen(source.get_ifd(_GPS), _GPS_TAGS))):
                if tags:
                    exif[directory] = tags
            return exif.tobytes() if len(exif) else None
        except Exception:  # Pillow raises almost anything on damaged data
            return None


def for_size(block: bytes, width: int, height: int, *, bulky: bool = True) -> bytes:
    """The block of :func:`read_exif` for a picture of that size; without ``bulky`` data of any length."""
    exif = Image.Exif()
    exif.load(block)
    if _EXIF in exif:
        inner = exif.get_ifd(_EXIF)
        inner[_WIDTH], inner[_HEIGHT] = width, height
        for tag in () if bulky else _BULKY_TAGS & set(inner):
            del inner[tag]
    return exif.tobytes()


def _all(image: Image.Image) -> Image.Exif:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return image.getexif()
        except Exception:
            return Image.Exif()


def _chosen(source: Any, tags: frozenset[int]) -> dict[int, Any]:
    return {tag: source[tag] for tag in sorted(tags & set(source))}
