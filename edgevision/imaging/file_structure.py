"""What a picture's file is built of, looked at before Pillow decodes it: what would take minutes or lose the picture.

A JPEG is built of scans, each a pass over all pixels, of which a small file may hold any number. Of each strip or tile
of a TIFF Pillow keeps a record, before a pixel is read. A PNG with a large text is refused by it.
"""

import io
import re
import struct
from typing import BinaryIO

from edgevision.core.errors import ImageError

# Encoders make ten, and few more.
_MOST_SCANS = 100

# 0xff with what is neither a stuffed zero, a filling byte, nor a restart marker inside a scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01

# One a row of a very high picture; they take Pillow four seconds.
_MOST_STRIPS = 2**19

_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
_BIG_TIFF = 43

_PNG_SIGNATURE_BYTES = 8
_BESIDE_THE_PICTURE = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def check_scans(data: bytes) -> None:
    """Raise :class:`ImageError` for a JPEG of so many scans that decoding it would take minutes (ITU-T T.81, B.2)."""
    place, scans = 0, 0
    while marker := _MARKER.search(data, place):
        kind = marker[0][1]
        place = marker.end()
        if kind == _END_OF_IMAGE:
            return
        scans += kind == _START_OF_SCAN
        if scans > _MOST_SCANS:
            raise ImageError(f"it is built of more than {_MOST_SCANS} scans, which no encoder makes")
        if kind not in (_START_OF_IMAGE, _TEMPORARY):
            place += max(2, int.from_bytes(data[place : place + 2]))


def check_strips(file: BinaryIO) -> None:
    """Raise :class:`ImageError` for a TIFF or BigTIFF whose first picture says to be cut into very many pieces.

    What is damaged otherwise is left to the decoder.
    """
    head = file.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = len(head) == 16 and struct.unpack_from(order + "H", head, 2)[0] == _BIG_TIFF
    entry = struct.Struct(order + ("HHQ8x" if big else "HHI4x"))
    try:
        file.seek(struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0])
        (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
        for _ in range(min(count, 65535)):
            tag, _, pieces = entry.unpack(file.read(entry.size))
            if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and pieces > _MOST_STRIPS:
                raise ImageError(f"it is cut into {pieces} strips or tiles; at most {_MOST_STRIPS} are read")
    except (struct.error, OverflowError, OSError, ValueError):
        return


def without_texts(file: BinaryIO) -> io.BytesIO | None:
    """A copy of a PNG without its texts and its colour profile; ``None`` where there are none.

    Pillow unpacks no more than a megabyte of each, and refuses the picture otherwise.
    """
    file.seek(0)
    copy = io.BytesIO(file.read(_PNG_SIGNATURE_BYTES))
    copy.seek(0, io.SEEK_END)
    left_out = False
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in _BESIDE_THE_PICTURE:
            left_out = True
            file.seek(length + 4, io.SEEK_CUR)
            continue
        copy.write(header + file.read(length + 4))
    copy.seek(0)
    return copy if left_out else None
