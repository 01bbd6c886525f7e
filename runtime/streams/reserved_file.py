"""A file that can be finished on a disk that is full: room for its end is set aside from the beginning."""

import errno
import os
from pathlib import Path

RESERVE = 16 * 2**20
"""Bytes for what an encoder still holds, and for the index of the frames."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


class ReservedFile:
    """What FFmpeg writes a video into; a file next to it takes the room, and is given up when no other is left.

    Attributes:
        name: the path, by whose ending FFmpeg knows the format.
        is_full: whether that was so. What is written from then on should be the end.
        failure: what could not be written at all, of which FFmpeg only says that there was something.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path`` for writing; :class:`OSError` where it cannot be."""
        self.name = str(path)
        self._file = path.open("w+b", buffering=0)
        self._reserve: Path | None = path.with_name(f"{path.name}.reserve")
        self.is_full = False
        self.failure: OSError | None = None
        self._set_aside()

    def _set_aside(self) -> None:
        assert self._reserve is not None
        try:
            with self._reserve.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, RESERVE)
        except OSError:
            # There is less: then all of it is for the frames.
            self._give_up()

    def _give_up(self) -> bool:
        """Free what was set aside; whether there was anything."""
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            reserve.unlink(missing_ok=True)
        return reserve is not None

    def write(self, data: bytes) -> int:
        """All of ``data``; :class:`OSError` where there is no room for it at all."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                if error.errno not in _FULL or not self._give_up():
                    self.failure = error
                    raise
                self.is_full = True
        return len(data)

    def read(self, count: int) -> bytes:
        """As a file; some formats look at what they wrote."""
        return self._file.read(count)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file."""
        return self._file.tell()

    def close(self) -> None:
        """End, and free what was set aside."""
        self._file.close()
        self._give_up()
