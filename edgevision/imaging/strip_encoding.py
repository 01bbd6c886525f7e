"""PNG and JPEG files made strip by strip: Pillow would want all of a large picture in a copy of its own.

Samples are the same as in a file that Pillow writes at once.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

StripEncoder = Callable[..., bytes]
"""The file's bytes of a Pillow picture, with Pillow's options by keyword."""

Strip = Callable[[int, int], Image.Image]
"""The rows from the first number up to the second as a Pillow picture; all are of one mode."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""What a PNG begins with."""

# Rows of blocks in JPEG have 8 or 16 rows of pixels, and the marks between them are numbered from 0 to 7.
JPEG_ROWS = 8 * 16


def png_parts(
    height: int, rows: int, strip: Strip, encode: StripEncoder, *, level: int, **extras: Any
) -> Iterator[bytes]:
    """The bytes of a PNG of ``height`` rows, ``rows`` at a time, compressed with ``level``; ``extras`` are Pillow's."""
    # As Pillow does it.
    deflate = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    after: list[tuple[bytes, bytes]] = []
    for top in range(0, height, rows):
        # The filters of a row look at the one above it.
        above = min(top, 1)
        image = strip(top - above, min(top + rows, height))
        found = list(chunks(encode(image, compress_level=0, **({} if top else extras))))
        filtered = memoryview(zlib.decompress(b"".join(data for kind, data in found if kind == b"IDAT")))
        if top == 0:
            first = [kind for kind, _ in found].index(b"IDAT")
            after = [(kind, data) for kind, data in found[first:] if kind != b"IDAT"]
            (_, header), *before = found[:first]
            yield SIGNATURE + chunk(b"IHDR", header[:4] + struct.pack(">I", height) + header[8:])
            yield from (chunk(kind, data) for kind, data in before)
        if compressed := deflate.compress(filtered[above * len(filtered) // image.height :]):
            yield chunk(b"IDAT", compressed)
    yield chunk(b"IDAT", deflate.flush())
    yield from (chunk(kind, data) for kind, data in after)


def jpeg_parts(height: int, rows: int, strip: Strip, encode: StripEncoder, **options: Any) -> Iterator[bytes]:
    """The bytes of a baseline JPEG of ``height`` rows, ``rows`` at a time, which is a multiple of :data:`JPEG_ROWS`.

    After a restart marker nothing depends on what was before (ITU-T T.81, F.1.1.5), so that strips can be joined there.
    """
    extras = {key: options.pop(key) for key in ("exif", "icc_profile", "xmp", "comment") if key in options}
    for top in range(0, height, rows):
        image = strip(top, min(top + rows, height))
        data = encode(image, restart_marker_rows=1, **options, **({} if top else extras))
        frame, samples = _jpeg_places(data)
        if top == 0:
            yield data[: frame + 5] + struct.pack(">H", height) + data[frame + 7 : samples]
        yield data[samples:-2] + (b"\xff\xd9" if top + rows >= height else b"\xff\xd7")


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the data of each chunk of a PNG."""
    place = 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        yield kind, png[place + 8 : place + 8 + length]
        place += length + 12


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its length and its check sum."""
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _jpeg_places(jpeg: bytes) -> tuple[int, int]:
    """Where the frame's segment begins, and where the samples do, right after the header of the scan."""
    place, frame = 2, 0
    while True:
        kind, length = struct.unpack_from(">xBH", jpeg, place)
        frame = place if kind == 0xC0 else frame
        place += 2 + length
        if kind == 0xDA:
            return frame, place
