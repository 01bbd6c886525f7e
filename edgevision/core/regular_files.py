"""Reading regular files, as POSIX calls those that neither wait for somebody to write nor go on for ever.

Text is in UTF-8 or UTF-16, with or without a byte order mark, from any system's editor.
"""

import codecs
import errno
import hashlib
import mmap
import os
import stat
from pathlib import Path
from typing import BinaryIO

from edgevision.core.errors import InputError

LARGEST_IN_MEMORY = 256 << 20
"""Bytes of an encoded picture that does not lie in a file of its own: from a pipe, or unpacked from a zip."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is how this one begins.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_MOST_BYTES = 64 << 20


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read.

    Raises:
        OSError: as ``open``, and for pipes, sockets and devices, which would be waited for or have no end.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - it is the caller's
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device and not a regular file", str(path))
    return file


def read_regular(path: Path) -> bytes:
    """The content of a regular file, and no more than its size says; raises as :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def mapped(path: Path) -> memoryview:
    """The content of a regular file, of which only what is looked at is read; raises as :func:`open_regular`."""
    with open_regular(path) as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        # Never closed by hand: slices of it are handed out, and it goes when the last of them does.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_text_file(path: Path, what: str) -> str:
    """The text without its byte order mark, lines ended by ``\\n``; ``what`` says in errors what it is for.

    Raises:
        InputError: it cannot be read, is larger than 64 MB, or in no encoding that can be told for certain.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{what} {str(path)!r} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"{what} {str(path)!r} is larger than {_MOST_BYTES >> 20} MB")
    mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[len(mark) + error.start]
        raise InputError(
            f"{what} {str(path)!r} is not in UTF-8 (byte 0x{byte:02x}, line {line}); save it in UTF-8, or convert it,"
            " as with iconv -f latin1 -t utf-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{what} {str(path)!r} is no text, or in UTF-16 without a byte order mark; save it in UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sha256(*paths: Path) -> str:
    """The hash of a file's content, or of several one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def real_path(path: Path) -> Path:
    """The file or folder itself, whatever links lead to it; a link that leads to itself stands for itself."""
    # Path.resolve() raises RuntimeError for such a link, before Python 3.13.
    return Path(os.path.realpath(path))


def _open_at_once(name: str, flags: int) -> int:
    """Opening a pipe otherwise waits until somebody writes into it."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
