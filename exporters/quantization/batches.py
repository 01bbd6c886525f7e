"""Calibration batches: read as they are wanted, in the batch a model takes, and a few that stand for all."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from edgevision.exporters.samples import in_portions
from edgevision.runtime.tasks.samples import Batch

_REPRESENTATIVES = 16
_TIMED = 8

Portion = Sequence[Batch]
"""Batches that are calibrated with together, a few of everything that a model may meet."""


class Portions:
    """Portions of calibration batches, each read when it is first asked for and kept from then on.

    Attributes:
        batches: those of the portions that were read so far.
    """

    def __init__(self, source: Iterable[Portion]) -> None:
        self._source = iter(source)
        self._read: list[Portion] = []

    def __iter__(self) -> Iterator[Portion]:
        place = 0
        while place < len(self._read) or self._read_another():
            yield self._read[place]
            place += 1

    @property
    def batches(self) -> list[Batch]:
        return [batch for portion in self._read for batch in portion]

    def in_batches_of(self, size: int) -> "Portions":
        """As a model takes them that is fixed to so many samples, filled up with a batch's first ones again."""
        return Portions(in_portions(portion, size) for portion in self)

    def _read_another(self) -> bool:
        portion = next(self._source, None)
        if portion is not None:
            self._read.append(portion)
        return portion is not None


def spread_order(count: int, seed: int) -> list[int]:
    """All places up to ``count`` in an order of which any beginning is spread over the whole: bits in reverse.

    ``seed`` says where it begins.
    """
    width = max(1, (count - 1).bit_length())
    reversed_bits = (int(f"{place:0{width}b}"[::-1], 2) for place in range(1 << width))
    first = int(np.random.default_rng(seed).integers(count)) if count else 0
    return [(place + first) % count for place in reversed_bits if place < count]


def timed_batches(portions: Portions) -> list[Batch]:
    """The first few, of the size in the middle: how long a model takes may depend on the picture."""
    portion = next(iter(portions))
    by_size = sorted(portion, key=lambda batch: sum(array.size for array in batch))
    shapes = [array.shape for array in by_size[len(by_size) // 2]]
    return [batch for batch in portion if [array.shape for array in batch] == shapes][:_TIMED]


def representatives(batches: Sequence[Batch]) -> Batch:
    """Some samples of equal size."""
    size = batches[0][0].shape[1:]
    alike = [batch for batch in batches if batch[0].shape[1:] == size]
    joined = [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]
    step = max(1, len(joined[0]) // _REPRESENTATIVES)
    return [array[::step][:_REPRESENTATIVES] for array in joined]
