"""The picture formats that are read and written: the one table, by the content of a file and by its name."""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from edgevision.core.errors import ImageError, OutputError
from edgevision.core.extras import requires_extra
from edgevision.core.installation import pip_command


@dataclass(frozen=True)
class PictureFormat:
    """One format.

    Attributes:
        kind: Pillow's name of it.
        suffixes: of the names of such files, in small letters.
        signature: what their content begins with.
        plugin: the module that teaches Pillow to read it.
        written: whether results can be written in it.
        alpha, deep, metadata: whether it holds transparency, 16 bits a sample, colour profiles and camera data.
        longest_side: in pixels, of what can be written.
    """

    kind: str
    suffixes: tuple[str, ...]
    signature: re.Pattern[bytes]
    plugin: str
    written: bool = False
    alpha: bool = True
    deep: bool = False
    metadata: bool = True
    longest_side: int = 2**31 - 1


def _begins(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


# Of an ISO base media file: its length, the word ftyp, the major brand, a version, and the compatible brands.
_BRAND = rb".{4}ftyp(?:%b|(?:mif1|msf1).{4}(?:.{4}){0,16}?%b)"

# All of the header, two or three numbers with space and comments before each: one of these without an end would be read
# byte by byte.
_HEADER = rb"P(?:[14](?:%(gap)b\d+){2}|[2356](?:%(gap)b\d+){3})\s" % {b"gap": rb"(?:\s|#[^\r\n]*[\r\n])+"}

PNG = PictureFormat("PNG", (".png",), _begins(rb"\x89PNG\r\n\x1a\n"), "PIL.PngImagePlugin", written=True, deep=True)
JPEG = PictureFormat(
    "JPEG",
    (".jpg", ".jpeg", ".jfif", ".jpe"),
    _begins(rb"\xff\xd8\xff"),
    "PIL.JpegImagePlugin",
    written=True,
    alpha=False,
    longest_side=65500,
)
WEBP = PictureFormat(
    "WEBP", (".webp",), _begins(rb"RIFF.{4}WEBP"), "PIL.WebPImagePlugin", written=True, longest_side=16383
)
TIFF = PictureFormat(
    "TIFF",
    (".tif", ".tiff"),
    _begins(rb"II[*+]\x00|MM\x00[*+]"),
    "PIL.TiffImagePlugin",
    written=True,
    deep=True,
)
BMP = PictureFormat("BMP", (".bmp",), _begins(rb"BM"), "PIL.BmpImagePlugin", written=True, alpha=False, metadata=False)
GIF = PictureFormat("GIF", (".gif",), _begins(rb"GIF8[79]a"), "PIL.GifImagePlugin")
PPM = PictureFormat("PPM", (".ppm", ".pgm", ".pbm", ".pnm"), _begins(_HEADER), "PIL.PpmImagePlugin")
AVIF = PictureFormat("AVIF", (".avif",), _begins(_BRAND % (rb"avi[fs]", rb"avi[fs]")), "PIL.AvifImagePlugin")
JPEG2000 = PictureFormat(
    "JPEG2000",
    (".jp2", ".j2k"),
    _begins(rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    "PIL.Jpeg2KImagePlugin",
)
HEIF = PictureFormat(
    "HEIF",
    (".heic", ".heif", ".hif"),
    _begins(_BRAND % (rb"he[iv][cmsx]", rb"he[iv][cmsx]")),
    "pillow_heif",
)

PICTURE_FORMATS: tuple[PictureFormat, ...] = (PNG, JPEG, WEBP, TIFF, BMP, GIF, PPM, AVIF, JPEG2000, HEIF)

IMAGE_SUFFIXES = frozenset(suffix for kind in PICTURE_FORMATS for suffix in kind.suffixes)
"""What pictures are found by in folders, globs and zips."""

# Pillow can be built without the libraries of these.
_FEATURES = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}


def format_of_content(beginning: bytes, name: str) -> PictureFormat:
    """The format of a file with that ``beginning``, of 100 bytes or more, made ready for Pillow, whatever its name is.

    Raises:
        ImageError: it is none of the table, or this machine's Pillow lacks the format.
        MissingExtraError: it needs an extra that is not installed.
    """
    for kind in PICTURE_FORMATS:
        if kind.signature.match(beginning):
            _make_ready(kind, name)
            return kind
    known = ", ".join(kind.kind for kind in PICTURE_FORMATS)
    raise ImageError(f"{name} is not a picture in a format that is read by its content ({known})")


def written_format(path: Path) -> PictureFormat:
    """The format that the name of a result asks for; :class:`OutputError` where there is none."""
    suffix = path.suffix.lower()
    for kind in PICTURE_FORMATS:
        if kind.written and suffix in kind.suffixes:
            return kind
    known = ", ".join(suffix for kind in PICTURE_FORMATS if kind.written for suffix in kind.suffixes)
    raise OutputError(f"{path.name!r} does not end in a format that can be written ({known})")


def _make_ready(kind: PictureFormat, name: str) -> None:
    if kind is HEIF:
        with requires_extra("heif"):
            from pillow_heif import register_heif_opener
        register_heif_opener()
        return
    import_module(kind.plugin)
    feature = _FEATURES.get(kind.kind)
    if feature is None:
        return
    from PIL import features

    if not features.check(feature):
        raise ImageError(
            f"{name} is {kind.kind}, which this machine's Pillow was built without;"
            f" {pip_command('install --upgrade pillow')} may bring it, or convert the picture to PNG"
        )
