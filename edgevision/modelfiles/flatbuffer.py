"""Reading FlatBuffers (flatbuffers.dev: Internals) of which nothing is believed: every offset is checked.

A table begins with the distance back to its vtable, which holds its own size, the table's, and for each field where it
lies in the table, or 0 where it is left out. What does not lie in a table is found by a distance forward.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FREE_TABLES, _BYTES_A_TABLE = 10_000, 8


class _Content:
    """The bytes of a file, and how many more tables may be read of it: its offsets may all point to one table."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.tables_left = _FREE_TABLES + len(view) // _BYTES_A_TABLE

    def number(self, kind: str, position: int) -> Any:
        """One number in the notation of :mod:`struct`."""
        if not 0 <= position <= len(self.view) - struct.calcsize(kind):
            raise ValueError(f"an offset leads to byte {position:,} of {len(self.view):,}")
        return struct.unpack_from(f"<{kind}", self.view, position)[0]

    def target(self, position: int) -> int:
        """Where the distance at ``position`` leads to."""
        return position + int(self.number("I", position))

    def vector(self, position: int, size: int) -> tuple[int, int]:
        """Where the elements of ``size`` bytes of a vector begin, and how many there are."""
        count = int(self.number("I", position))
        if position + 4 + count * size > len(self.view):
            raise ValueError(f"a vector of {count:,} elements reaches beyond the end")
        return position + 4, count


class Table:
    """One table; fields are known by their number in the schema.

    All methods raise :class:`ValueError` where the file does not hold what it says.
    """

    def __init__(self, content: _Content, position: int) -> None:
        content.tables_left -= 1
        if content.tables_left < 0:
            raise ValueError("it has more parts than a model of its size can need")
        self._content = content
        self._position = position
        self._vtable = position - int(content.number("i", position))
        self._fields = (int(content.number("H", self._vtable)) - 4) // 2
        self._size = int(content.number("H", self._vtable + 2))
        if position + self._size > len(content.view):
            raise ValueError("a table reaches beyond the end")

    @classmethod
    def root(cls, view: memoryview, identifier: bytes) -> "Table":
        """That of a file whose bytes 4 to 7 are ``identifier``."""
        if bytes(view[4:8]) != identifier:
            raise ValueError(f"it does not begin as a {identifier.decode()} file")
        content = _Content(view)
        return cls(content, content.target(0))

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A number in the notation of :mod:`struct`."""
        position = self._place(field, struct.calcsize(kind))
        return default if position is None else int(self._content.number(kind, position))

    def table(self, field: int) -> "Table | None":
        """A table within this one."""
        position = self._place(field, 4)
        return None if position is None else Table(self._content, self._content.target(position))

    def tables(self, field: int) -> Iterator["Table"]:
        """Those of a vector."""
        start, count = self._vector(field, 4)
        for position in range(start, start + 4 * count, 4):
            yield Table(self._content, self._content.target(position))

    def data(self, field: int) -> memoryview:
        """The bytes of a vector of bytes, or of text."""
        start, count = self._vector(field, 1)
        return self._content.view[start : start + count]

    def text(self, field: int) -> str:
        """Text; what is no UTF-8 in it is replaced."""
        return bytes(self.data(field)).decode(errors="replace")

    def integers(self, field: int) -> NDArray[np.int32]:
        """A vector of int32."""
        start, count = self._vector(field, 4)
        return np.frombuffer(self._content.view[start : start + 4 * count], "<i4")

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        position = self._place(field, 4)
        return (0, 0) if position is None else self._content.vector(self._content.target(position), size)

    def _place(self, field: int, size: int) -> int | None:
        if field >= self._fields:
            return None
        offset = int(self._content.number("H", self._vtable + 4 + 2 * field))
        if offset + size > self._size:
            raise ValueError("a field lies outside of its table")
        return self._position + offset if offset else None
