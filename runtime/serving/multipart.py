"""Forms with files (RFC 7578), parsed in memory: nothing of an upload is ever written to a disk."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from edgevision.runtime.serving.refusals import RefusalError

_MOST_PARTS = 64
_LONGEST_HEADERS = 4096
_LONGEST_FIELD = 4096

_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"\r\n]*)"', re.IGNORECASE)
_FILE = re.compile(rb'[;\s]filename="([^"\r\n]*)"', re.IGNORECASE)
_EXTENDED_FILE = re.compile(rb"[;\s]filename\*=utf-8'[^']*'([^\s;]+)", re.IGNORECASE)


class Upload(NamedTuple):
    """A file of a form: its content, and what the client calls it."""

    content: bytes
    name: str


class Form(NamedTuple):
    """The files by their fields, and the texts of every other field, in order."""

    files: dict[str, Upload]
    fields: dict[str, list[str]]


def parse_form(content_type: str, body: bytes) -> Form:
    """The form of a request's body; :class:`RefusalError` where it is none.

    A field is a file where it has a file's name. What a client leaves empty counts as not given, as browsers send it.
    """
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise RefusalError(415, "form", "a request is multipart/form-data with a boundary, as curl -F image=@photo.jpg")
    form = Form({}, {})
    for headers, content in _parts(body, b"--" + (found[1] or found[2]).encode("latin-1", "replace")):
        disposition = _disposition(headers)
        name = _text(_matched(_NAME, disposition))
        if name == "":
            raise _malformed("a part has no name")
        if b"filename" not in disposition.lower():
            if len(content) > _LONGEST_FIELD:
                raise RefusalError(413, "field", f"the field {name[:60]!r} has more than {_LONGEST_FIELD} bytes")
            if content:
                form.fields.setdefault(name, []).append(_text(content))
        elif name in form.files:
            raise RefusalError(400, "form", f"the file {name[:60]!r} is sent twice")
        elif content:
            form.files[name] = Upload(content, _file_name(disposition))
    return form


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The headers and the content of each part."""
    view = memoryview(body)
    if not body.startswith(delimiter):
        place = body.find(b"\r\n" + delimiter)
        if place < 0:
            raise _malformed("its boundary is not in it")
        place += 2
    else:
        place = 0
    for _ in range(_MOST_PARTS + 1):
        place += len(delimiter)
        if body[place : place + 2] == b"--":
            return
        start = body.find(b"\r\n", place, place + 256)
        if start < 0:
            raise _malformed("it is cut off")
        # Headers may be none at all: the empty line then follows at once.
        end = body.find(b"\r\n\r\n", start, start + _LONGEST_HEADERS)
        if end < 0:
            raise _malformed("a part has no end of its headers")
        after = body.find(b"\r\n" + delimiter, end + 2)
        if after < 0:
            raise _malformed("it is cut off")
        yield body[start:end], bytes(view[min(end + 4, after) : after])
        place = after + 2
    raise RefusalError(400, "form", f"a form has at most {_MOST_PARTS} parts")


def _disposition(headers: bytes) -> bytes:
    for line in headers.split(b"\r\n"):
        if line.lower().startswith(b"content-disposition:"):
            return b";" + line.partition(b":")[2]
    return b""


def _file_name(disposition: bytes) -> str:
    from urllib.parse import unquote

    extended = _matched(_EXTENDED_FILE, disposition)
    name = unquote(extended.decode("latin-1")) if extended else _text(_matched(_FILE, disposition))
    # Some clients send the whole path, which is nobody's business.
    return re.split(r"[/\\]", name)[-1][:120] or "the picture"


def _matched(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    return found[1] if found else b""


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _malformed("a text of it is not UTF-8") from None


def _malformed(why: str) -> RefusalError:
    return RefusalError(400, "form", f"the form cannot be read: {why}")
