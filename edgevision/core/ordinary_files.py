"""Files that a user names: ordinary ones, which neither wait for somebody to write nor go on for ever, and links."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST_IN_MEMORY = 256 << 20
"""Bytes of an encoded picture that does not lie in a file of its own: from a pipe, or unpacked from a zip."""


def open_ordinary(path: Path) -> BinaryIO:
    """Open a file to read.

    Raises:
        OSError: as ``open``, and for pipes, sockets and devices, which would be waited for or have no end.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - it is the caller's
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device and no ordinary file", str(path))
    return file


def read_ordinary(path: Path) -> bytes:
    """The content of an ordinary file, and no more than its size says; raises as :func:`open_ordinary`."""
    with open_ordinary(path) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def real_path(path: Path) -> Path:
    """The file or folder itself, whatever links lead to it; a link that leads to itself stands for itself."""
    # Path.resolve() raises RuntimeError for such a link, before Python 3.13.
    return Path(os.path.realpath(path))


def _open_at_once(name: str, flags: int) -> int:
    """Opening a pipe otherwise waits until somebody writes into it."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
