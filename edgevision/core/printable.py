"""Text that others wrote (in files, on boards, in file names), made safe to show: no escape sequence, nothing unseen.

What a terminal, a spreadsheet or a reader could take for something else is shown as Python writes it, ``\\x1b``.
Programs that read JSON get the exact text, by JSON's own escapes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from edgevision.core.records import Record

R = TypeVar("R", bound="Record")

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)

_SPACES = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def printable(text: str) -> str:
    """``text`` without what a terminal could take for a command and without reversed writing; its lines and tabs stay.

    Characters that cannot be seen become their escapes.
    """
    if text.isprintable():
        return text
    return "".join(_shown(c) if c not in "\n\t" else c for c in text.replace("\r\n", "\n"))


def one_line(text: object) -> str:
    """As :func:`printable`, for a name among others: it makes no line and no column of its own."""
    line = str(text)
    return line if line.isprintable() else "".join(map(_shown, line))


def shortened(text: str) -> str:
    """``text`` as an error quotes it: what is far too long is cut."""
    return repr(text if len(text) <= 60 else f"{text[:50]}...")


def abridged(text: str) -> str:
    """``text`` from a file in a line for people: of what is longer than a paragraph the beginning, and its length."""
    return text if len(text) <= 400 else f"{text[:300]}... ({len(text):,} characters in all)"


def printable_values(value: Any) -> Any:
    """JSON values with every string in them, keys too, made :func:`printable`."""
    return _changed(value, printable)


def shown(record: R) -> R:
    """A copy of ``record`` for tables and pages: every string in it, at any depth, on :func:`one_line`."""
    changed: R = _changed(record, one_line)
    return changed


def csv_row(cells: Sequence[object]) -> list[object]:
    """The cells of one row of CSV: text on one line that no spreadsheet takes for a formula; numbers as they are."""
    return [_csv_cell(cell) for cell in cells]


def exact_json(document: Any, *, ascii_only: bool = False, **options: Any) -> str:
    """``document`` as JSON, of which a reader gets every character back and a terminal sees only printable ones.

    ``options`` are those of :func:`json.dumps`. ``ascii_only`` is for a stream that holds nothing else.
    """
    text = json.dumps(document, ensure_ascii=ascii_only, **options)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _shown(character: str) -> str:
    # Python counts spaces other than the plain one as unprintable; names of files hold them, and they harm nothing.
    if character.isprintable() or character in _SPACES:
        return character
    return character.encode("unicode_escape").decode("ascii")


def _changed(value: Any, change: Any) -> Any:
    # Here because every start of the program guards its streams, and few of them show a record.
    from edgevision.core.records import Record

    if isinstance(value, str):
        return value if isinstance(value, Enum) else change(value)
    if isinstance(value, Record):
        return value.updated(**{f.name: _changed(getattr(value, f.name), change) for f in fields(value)})
    if isinstance(value, Mapping):
        return {change(key): _changed(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_changed(item, change) for item in value)
    return value


def _csv_cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = one_line(cell)
    # What begins so is computed when the file is opened in a spreadsheet, wide forms of the signs too.
    formula = cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and cell.strip(" ")
    return f"'{text}" if formula and not _NUMBER.fullmatch(cell) else text
