"""Text files that people make: in UTF-8 or UTF-16, with or without a byte order mark, from any system's editor."""

import codecs
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.ordinary_files import open_ordinary

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is how this one begins.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_MOST_BYTES = 64 << 20


def read_text_file(path: Path, what: str) -> str:
    """The text without its byte order mark, lines ended by ``\\n``; ``what`` says in errors what it is for.

    Raises:
        InputError: it cannot be read, is larger than 64 MB, or in no encoding that can be told for certain.
    """
    try:
        with open_ordinary(path) as file:
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
