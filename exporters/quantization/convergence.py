"""When enough was seen to calibrate with: the ranges do not move any more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgevision.exporters.quantization.observations import Histogram
from edgevision.exporters.quantization.ranges import RangeMethod, choose_range

_FEWEST = 4
_SETTLED = 0.05

Ranges = Mapping[RangeMethod, Mapping[str, tuple[float, float]]]


@dataclass
class Convergence:
    """Says after each portion whether it was enough.

    Whenever there are twice as many portions as before, from four on, the ranges are found anew by each method. They
    have settled where, by every method, those of half of the tensors moved by less than 5 % of their width.

    Attributes:
        late: whether there is no time for more.
        settled: whether what was seen last was enough.
    """

    late: Callable[[], bool]
    settled: bool = False
    _before: Ranges | None = field(default=None, repr=False)

    def __call__(self, count: int, histograms: Callable[[], Mapping[str, Histogram]]) -> bool:
        if self.late():
            return True
        if count < _FEWEST // 2 or count & (count - 1):
            return False
        found = histograms()
        ranges = {
            method: {name: choose_range(histogram, method) for name, histogram in found.items()}
            for method in RangeMethod
        }
        self.settled = self._before is not None and _movement(self._before, ranges) <= _SETTLED
        self._before = ranges
        return self.settled


def _movement(before: Ranges, after: Ranges) -> float:
    """How far the ends of ranges moved as a share of their width: the median over tensors, by the worst method."""
    return max(
        float(np.median([_moved(before[method][name], span) for name, span in after[method].items()] or [0.0]))
        for method in after
    )


def _moved(before: tuple[float, float], after: tuple[float, float]) -> float:
    width = max(after[1] - after[0], before[1] - before[0])
    return max(abs(after[0] - before[0]), abs(after[1] - before[1])) / width if width else 0.0
