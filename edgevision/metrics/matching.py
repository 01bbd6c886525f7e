"""Which of what was found belongs to which of what is there."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def pair_up(overlap: NDArray[np.floating], order: Iterable[int], least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of ``overlap`` (N, M) of ``least`` and more: the rows choose in ``order``, the nearest that
    is left."""
    if not overlap.size:
        return []
    overlap = overlap.copy()
    pairs = []
    for row in order:
        best = int(overlap[row].argmax())
        if overlap[row, best] >= least:
            pairs.append((int(row), best))
            overlap[:, best] = -1
    return pairs


def matched_share(overlap: NDArray[np.floating], least: float) -> float:
    """TP / (TP + FP + FN) of what was found, best first, with an ``overlap`` (found, there) of ``least`` and more.

    This is the figure of the Data Science Bowl 2018, and the accuracy of StarDist; 1 where there is nothing and
    nothing was found.
    """
    found, there = overlap.shape
    pairs = len(pair_up(overlap, range(found), least))
    return pairs / (found + there - pairs) if found + there else 1.0
