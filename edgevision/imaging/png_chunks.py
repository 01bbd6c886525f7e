"""The chunks of a PNG, as far as Pillow would lose a picture for them."""

import io
import struct
from typing import BinaryIO

_SIGNATURE_BYTES = 8
_BESIDE_THE_PICTURE = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def without_texts(file: BinaryIO) -> io.BytesIO | None:
    """A copy of a PNG without its texts and its colour profile; ``None`` where there are none.

    Pillow unpacks no more than a megabyte of each, and refuses the picture otherwise.
    """
    file.seek(0)
    copy = io.BytesIO(file.read(_SIGNATURE_BYTES))
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
