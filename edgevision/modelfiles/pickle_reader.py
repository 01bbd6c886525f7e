"""Reading a pickle as data: numbers, text and containers are built, and nothing that it names is ever imported or run.

The instructions are those of Lib/pickletools.py, protocols 2 to 5, without the ones of text alone. Whoever reads says
what the names and the persistent ids in the file stand for. Memory and time are bounded by what the reader allows, not
by the numbers in the file.
"""

import mmap
import struct
from collections import OrderedDict
from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Any

from edgevision.modelfiles.nesting import check_nesting

# A tensor takes some 30 instructions and, with what it is made from, 3,000 bytes.
_BYTES_AN_INSTRUCTION = 48
_LONGEST_NAME = 1000
# In bytes: the states of random generators take 17 and more, and text that Python still makes of a number 1,700.
_LONGEST_NUMBER = 1024

# What CPython takes for one object and its place in a container.
_BYTES_OF_AN_OBJECT = 64
_BYTES_OF_AN_ITEM = 8
_BYTES_OF_A_PAIR = 100
_BYTES_OF_A_TENSOR = 400
_LONGEST_KEY = 8
_LONGEST_KEY_NUMBER = 64


@dataclass(frozen=True)
class Builder:
    """What stands for a class or function that a pickle names: ``build`` gets the arguments the pickle has for it."""

    name: str
    build: Callable[..., Any]


class _Inert:
    """The type of :data:`INERT`."""


INERT = _Inert()
"""Stands for an object that the reader does not care about: it takes everything and does nothing."""


def memory_for(file_size: int) -> int:
    """The bytes that the objects of a file may take, in proportion to its size."""
    return (96 << 20) + 4 * file_size


class PickleReader:
    """Reads one pickle after the other from ``data``.

    ``find_global(module, name)`` gives a :class:`Builder` or a constant, or raises; ``find_persistent(id)`` the object
    of a persistent id. ``memory`` is in bytes and bounds what all objects take together, the data of tensors apart, and
    with it the time.
    """

    def __init__(
        self,
        data: bytes | mmap.mmap,
        *,
        find_global: Callable[[str, str], Any],
        find_persistent: Callable[[Any], Any],
        memory: int,
    ) -> None:
        self.position = 0
        self._data = data
        self._find_global = find_global
        self._find_persistent = find_persistent
        self._memory = memory
        self._instructions = memory // _BYTES_AN_INSTRUCTION
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """The next object; ``position`` is then behind it.

        Raises:
            ValueError: the bytes are no pickle, end early, or make more than their share of memory or time.
        """
        self._stack, self._marks, self._memo = [], [], {}
        try:
            while (opcode := self._take(1)[0]) != _STOP:
                self._instructions -= 1
                if self._instructions < 0:
                    raise ValueError("its pickle has far more instructions than the file is large")
                instruction = _INSTRUCTIONS.get(opcode)
                if instruction is None:
                    raise ValueError(f"its pickle has the instruction {opcode:#04x}, which no checkpoint needs")
                instruction(self)
            result = self._stack.pop()
        except (IndexError, KeyError, struct.error, UnicodeError) as error:
            raise ValueError("its pickle is cut off or damaged") from error
        check_nesting(result)
        return result

    # --- what the instructions are made of ---

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise ValueError("its pickle is cut off")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        end = self._data.find(b"\n", self.position, self.position + _LONGEST_NAME)
        if end < 0:
            raise ValueError("its pickle names something without an end")
        line = self._take(end - self.position)
        self.position += 1
        return line.decode()

    def _spend(self, size: int) -> None:
        self._memory -= size
        if self._memory < 0:
            raise ValueError("its pickle would take far more memory than the file is large")

    def _push(self, value: Any, size: int = 0) -> None:
        self._spend(_BYTES_OF_AN_OBJECT + size)
        self._stack.append(value)

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _mark(self) -> None:
        self._spend(_BYTES_OF_AN_OBJECT)
        self._marks.append(self._stack)
        self._stack = []

    def _sequence(self, layout: str, make: Callable[[bytes], Any]) -> None:
        data = self._take(self._number(layout))
        # One character takes up to four bytes as soon as any of them needs so many.
        self._push(make(data), len(data) if data.isascii() else 4 * len(data))

    def _integer(self, layout: str) -> None:
        length = self._number(layout)
        if not 0 <= length <= _LONGEST_NUMBER:
            raise ValueError(f"its pickle holds a number of {length} bytes")
        self._push(int.from_bytes(self._take(length), "little", signed=True), length)

    def _tuple(self, items: list[Any]) -> None:
        self._push(tuple(items), _BYTES_OF_AN_ITEM * len(items))

    def _get(self, layout: str) -> None:
        self._spend(_BYTES_OF_AN_ITEM)
        self._stack.append(self._memo[self._number(layout)])

    def _put(self, layout: str) -> None:
        self._spend(_BYTES_OF_A_PAIR)
        self._memo[self._number(layout)] = self._stack[-1]

    def _memoize(self) -> None:
        self._spend(_BYTES_OF_A_PAIR)
        self._memo[len(self._memo)] = self._stack[-1]

    # --- containers ---

    def _extend(self, items: list[Any]) -> None:
        container = self._stack[-1]
        self._spend(_BYTES_OF_AN_ITEM * len(items))
        if isinstance(container, list):
            container.extend(items)
        elif container is not INERT:
            raise ValueError(f"its pickle appends to a {type(container).__name__}")

    def _set_items(self, items: list[Any]) -> None:
        container = self._stack[-1]
        self._spend(_BYTES_OF_A_PAIR * len(items) // 2)
        if isinstance(container, dict):
            container.update(_pairs(items))
        elif container is not INERT:
            raise ValueError(f"its pickle puts items into a {type(container).__name__}")

    def _add_items(self, items: list[Any]) -> None:
        container = self._stack[-1]
        self._spend(_BYTES_OF_A_PAIR * len(items))
        if isinstance(container, set):
            container.update(filter(_is_key, items))
        elif container is not INERT:
            raise ValueError(f"its pickle adds to a {type(container).__name__}")

    # --- what pickles name ---

    def _global(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("its pickle names what is no name")
        self._push(self._find_global("builtins" if module == "__builtin__" else module, name))

    def _reduce(self) -> None:
        arguments, callee = self._stack.pop(), self._stack.pop()
        if callee is INERT:
            self._push(INERT)
        elif isinstance(callee, Builder) and isinstance(arguments, tuple):
            self._push(self._built(callee, arguments))
        else:
            raise ValueError(f"its pickle calls a {type(callee).__name__}")

    def _built(self, callee: Builder, arguments: tuple[Any, ...]) -> Any:
        # Whatever is built may be a copy of them.
        items = sum(len(argument) for argument in arguments if isinstance(argument, Sized))
        self._spend(_BYTES_OF_A_TENSOR + _BYTES_OF_A_PAIR * items)
        try:
            return callee.build(*arguments)
        except TypeError as error:
            raise ValueError(f"its pickle calls {callee.name} with other arguments than it takes") from error

    def _build(self) -> None:
        state, built = self._stack.pop(), self._stack[-1]
        # PyTorch hangs the version of each layer on the dict of weights; no other state is known to be needed.
        if isinstance(built, OrderedDict) and isinstance(state, dict) and isinstance(state.get("_metadata"), dict):
            built._metadata = _versions(state["_metadata"])  # type: ignore[attr-defined]

    def _persistent(self) -> None:
        self._push(self._find_persistent(self._stack.pop()))


def _is_key(value: Any) -> bool:
    """Whether it may be a key; items of others, which are no weights, are left out.

    Tuples that hold each other would be hashed without end, and long numbers can be chosen to have the same hash.
    """
    parts = value if isinstance(value, tuple) and len(value) <= _LONGEST_KEY else (value,)
    return all(
        part is None
        or isinstance(part, str | bytes | float)
        or (isinstance(part, int) and part.bit_length() <= _LONGEST_KEY_NUMBER)
        for part in parts
    )


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("its pickle has a key without a value")
    return {key: value for key, value in zip(items[::2], items[1::2], strict=True) if _is_key(key)}


def _versions(metadata: dict[Any, Any]) -> OrderedDict[str, dict[str, int]]:
    """``{layer: {"version": number}}``, as ``load_state_dict`` expects it."""
    found = OrderedDict[str, dict[str, int]]()
    for layer, facts in metadata.items():
        version = facts.get("version") if isinstance(facts, dict) else None
        if isinstance(layer, str) and isinstance(version, int):
            found[layer] = {"version": version}
    return found


_STOP = ord(".")
_INSTRUCTIONS: dict[int, Callable[[PickleReader], Any]] = {
    0x80: lambda r: r._take(1),  # PROTO
    0x95: lambda r: r._take(8),  # FRAME
    ord("("): PickleReader._mark,
    ord("0"): lambda r: r._stack.pop(),
    ord("1"): PickleReader._since_mark,  # POP_MARK
    ord("2"): lambda r: r._stack.append(r._stack[-1]),
    ord("N"): lambda r: r._stack.append(None),
    0x88: lambda r: r._stack.append(True),
    0x89: lambda r: r._stack.append(False),
    ord("J"): lambda r: r._push(r._number("<i")),
    ord("K"): lambda r: r._stack.append(r._number("<B")),
    ord("M"): lambda r: r._push(r._number("<H")),
    0x8A: lambda r: r._integer("<B"),
    0x8B: lambda r: r._integer("<i"),
    ord("G"): lambda r: r._push(r._number(">d")),
    # What Python 2 wrote as a string is text in the checkpoints of its time.
    ord("U"): lambda r: r._sequence("<B", lambda data: data.decode("latin-1")),
    ord("T"): lambda r: r._sequence("<I", lambda data: data.decode("latin-1")),
    0x8C: lambda r: r._sequence("<B", bytes.decode),
    ord("X"): lambda r: r._sequence("<I", bytes.decode),
    0x8D: lambda r: r._sequence("<Q", bytes.decode),
    ord("C"): lambda r: r._sequence("<B", bytes),
    ord("B"): lambda r: r._sequence("<I", bytes),
    0x8E: lambda r: r._sequence("<Q", bytes),
    0x96: lambda r: r._sequence("<Q", bytes),  # BYTEARRAY8
    ord("]"): lambda r: r._push([]),
    ord(")"): lambda r: r._stack.append(()),
    ord("}"): lambda r: r._push({}),
    0x8F: lambda r: r._push(set(), 160),
    ord("a"): lambda r: r._extend([r._stack.pop()]),
    ord("e"): lambda r: r._extend(r._since_mark()),
    ord("s"): lambda r: r._set_items([r._stack.pop(), r._stack.pop()][::-1]),
    ord("u"): lambda r: r._set_items(r._since_mark()),
    0x90: lambda r: r._add_items(r._since_mark()),
    0x85: lambda r: r._tuple([r._stack.pop()]),
    0x86: lambda r: r._tuple([r._stack.pop(), r._stack.pop()][::-1]),
    0x87: lambda r: r._tuple([r._stack.pop(), r._stack.pop(), r._stack.pop()][::-1]),
    ord("t"): lambda r: r._tuple(r._since_mark()),
    ord("h"): lambda r: r._get("<B"),
    ord("j"): lambda r: r._get("<I"),
    ord("q"): lambda r: r._put("<B"),
    ord("r"): lambda r: r._put("<I"),
    0x94: PickleReader._memoize,
    ord("c"): lambda r: r._global(r._line(), r._line()),
    0x93: lambda r: r._global(*[r._stack.pop(), r._stack.pop()][::-1]),  # STACK_GLOBAL
    ord("R"): PickleReader._reduce,
    0x81: PickleReader._reduce,  # NEWOBJ
    ord("b"): PickleReader._build,
    ord("Q"): PickleReader._persistent,
}
