"""Integers to bits and back, by interleaved range variants of asymmetric numeral systems in integers of NumPy.

Duda 2013, "Asymmetric numeral systems", section 4.1, and Giesen 2014, "Interleaved entropy coders": each of several
lanes has a state of its own, so that a step of all of them is a handful of array operations, on any processor and
without a compiled extension. Probabilities are integers of 65536, states integers below 2**40: every machine computes
the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ImageError
from edgevision.imaging.symbol_scales import TOTAL_FREQUENCY
from edgevision.runtime.tasks.compression.entropy_model import LARGEST_SYMBOL, Symbols

States = NDArray[np.int64]

_SHARE_BITS = 16
_WORD_BITS = 16
_STATE_BITS = 40
_LEAST_STATE = 1 << _STATE_BITS - _WORD_BITS
_STATE_BYTES = 5

# A lane costs three bytes, and a step the same time for few lanes as for many.
_SYMBOLS_A_LANE = 8192
_LANES = (4, 1024)


class FrequencyTables:
    """Frequency tables as arrays in which a symbol of any of them is looked up.

    A place of a table is 0..2 R for the symbols -R..R, and 2 R + 1 for any other. The table after the last has a place
    for each of 65536 integers, all alike: what is none of -R..R is written in that too.
    """

    def __init__(self, frequencies: Sequence[NDArray[np.uint16]]) -> None:
        sizes = np.asarray([len(table) for table in frequencies])
        self.plain = len(frequencies)
        self.reach: Symbols = ((sizes - 2) // 2).astype(np.int32)
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        every = [table.astype(np.int64) for table in frequencies] + [np.ones(TOTAL_FREQUENCY, np.int64)]
        self.counts: States = np.concatenate([*every, [TOTAL_FREQUENCY]])
        self.below: States = np.concatenate([*(np.cumsum(table) - table for table in every), [0]])
        # Of each place in all tables, of symbols that are any other with those that these take beside.
        self._bits = (_SHARE_BITS - np.log2(self.counts)).astype(np.float32)
        self._bits[self.starts[1 : self.plain + 1] - 1] += _SHARE_BITS
        # By table and state: which place that is a state of.
        self.places = np.stack([np.repeat(np.arange(len(table), dtype=np.uint16), table) for table in every])

    def places_of(self, symbols: Symbols, tables: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where in all tables each symbol is."""
        reach = self.reach[tables]
        return self.starts[tables] + np.where(np.abs(symbols) > reach, 2 * reach + 1, symbols + reach)

    def bits(self, symbols: Symbols, tables: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How many each symbol takes."""
        bits: NDArray[np.float32] = self._bits[self.places_of(symbols, tables)]
        return bits

    @property
    def nothing(self) -> int:
        """What is written in no bits at all, to fill up a step."""
        return len(self.counts) - 1


def lane_count(symbols: int) -> int:
    """How many lanes so many symbols are written in."""
    least, most = _LANES
    return min(1 << (max(symbols // _SYMBOLS_A_LANE, least).bit_length() - 1), most)


class SymbolEncoder:
    """Takes symbols one array after the other; they are coded backwards, when all are there."""

    def __init__(self, tables: FrequencyTables, lanes: int) -> None:
        self._tables = tables
        self._lanes = lanes
        self._steps: list[NDArray[np.uint32]] = []

    def write(self, symbols: Symbols, tables: NDArray[np.uint8]) -> None:
        """Add symbols of at most :data:`.LARGEST_SYMBOL`, each with the table of the same place."""
        symbols, tables = symbols.ravel(), tables.ravel()
        self._add(self._tables.places_of(symbols, tables))
        strange = np.abs(symbols) > self._tables.reach[tables]
        if strange.any():
            self._add(self._tables.starts[self._tables.plain] + symbols[strange] + LARGEST_SYMBOL)

    def _add(self, entries: NDArray[np.integer]) -> None:
        steps = np.full((-(-len(entries) // self._lanes), self._lanes), self._tables.nothing, np.uint32)
        steps.ravel()[: len(entries)] = entries
        self._steps.append(steps)

    def content(self) -> bytes:
        """All that was written: the states of the lanes, and the words in the order in which they are read."""
        states = np.full(self._lanes, _LEAST_STATE, np.int64)
        words: list[NDArray[np.uint16]] = []
        for steps in reversed(self._steps):
            for entries in steps[::-1]:
                counts, below = self._tables.counts[entries], self._tables.below[entries]
                full = states >= counts << (_STATE_BITS - _SHARE_BITS)
                words.append((states[full] & 0xFFFF).astype("<u2"))
                states[full] >>= _WORD_BITS
                whole, rest = np.divmod(states, counts)
                states = (whole << _SHARE_BITS) + rest + below
        heads = states.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_STATE_BYTES]
        return heads.tobytes() + b"".join(part.tobytes() for part in reversed(words))


class SymbolDecoder:
    """Reads what a :class:`SymbolEncoder` with as many lanes wrote.

    Raises:
        ImageError: there is not even a state for each lane.
    """

    def __init__(self, tables: FrequencyTables, lanes: int, content: bytes) -> None:
        self._tables = tables
        self._lanes = lanes
        size = lanes * _STATE_BYTES
        if len(content) < size or (len(content) - size) % 2:
            raise ImageError(f"its symbols cannot be decoded: {len(content)} bytes do not hold {lanes} lanes")
        heads = np.zeros((lanes, 8), np.uint8)
        heads[:, :_STATE_BYTES] = np.frombuffer(content[:size], np.uint8).reshape(lanes, _STATE_BYTES)
        self._states: States = heads.view("<u8")[:, 0].astype(np.int64)
        self._words = np.frombuffer(content[size:], "<u2").astype(np.int64)
        self._place = 0

    def read(self, tables: NDArray[np.uint8]) -> Symbols:
        """The next symbols, int32 of the shape of ``tables``, which are those that they were written with.

        Raises:
            ImageError: there are no more, so that other symbols or other tables were written.
        """
        flat = tables.ravel()
        reach = self._tables.reach[flat]
        symbols = self._read(flat) - reach
        strange = symbols > reach
        if strange.any():
            others = np.full(int(strange.sum()), self._tables.plain, np.uint8)
            symbols[strange] = self._read(others) - LARGEST_SYMBOL
        return symbols.reshape(tables.shape)

    def _read(self, tables: NDArray[np.uint8]) -> Symbols:
        """The place in its table of each of the next symbols, int32."""
        lookup, counts, below = self._tables.places, self._tables.counts, self._tables.below
        starts = self._tables.starts[tables]
        places = np.empty(len(tables), np.int32)
        for first in range(0, len(tables), self._lanes):
            chosen = slice(first, min(first + self._lanes, len(tables)))
            states = self._states[: chosen.stop - first]
            shares = states & 0xFFFF
            place = lookup[tables[chosen], shares]
            entries = starts[chosen] + place
            states[:] = counts[entries] * (states >> _SHARE_BITS) + shares - below[entries]
            empty = np.flatnonzero(states < _LEAST_STATE)
            words = self._words[self._place : self._place + len(empty)]
            if len(words) < len(empty):
                raise ImageError("its symbols cannot be decoded: they were written with another model")
            states[empty] = (states[empty] << _WORD_BITS) | words
            self._place += len(empty)
            places[chosen] = place
        return places
