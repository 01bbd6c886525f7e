"""The strips and tiles that a TIFF is cut into: Pillow keeps a record of each, before a pixel is read."""

import struct
from typing import BinaryIO

from edgevision.core.errors import ImageError

# One a row of a very high picture; they take Pillow four seconds.
_MOST = 2**19

_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
_BIG = 43


def check_strips(file: BinaryIO) -> None:
    """Raise :class:`ImageError` for a TIFF or BigTIFF whose first picture says to be cut into very many pieces.

    What is damaged otherwise is left to the decoder.
    """
    head = file.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = len(head) == 16 and struct.unpack_from(order + "H", head, 2)[0] == _BIG
    entry = struct.Struct(order + ("HHQ8x" if big else "HHI4x"))
    try:
        file.seek(struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0])
        (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
        for _ in range(min(count, 65535)):
            tag, _, pieces = entry.unpack(file.read(entry.size))
            if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and pieces > _MOST:
                raise ImageError(f"it is cut into {pieces} strips or tiles; at most {_MOST} are read")
    except (struct.error, OverflowError, OSError, ValueError):
        return
