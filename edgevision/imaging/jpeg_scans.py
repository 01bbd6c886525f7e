"""The scans that a JPEG is built of: each is a pass over all pixels, and a small file may hold any number."""

import re

from edgevision.core.errors import ImageError

# Encoders make ten, and few more.
_MOST_SCANS = 100

# 0xff with what is neither a stuffed zero, a filling byte, nor a restart marker inside a scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01


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
