"""The assignment problem: who goes with whom so that the sum is the largest."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.extras import requires_extra

Pairs = NDArray[np.int64]
"""(n, 2), row and column; none twice."""


def best_pairs(worth: NDArray[np.float64], least: float) -> Pairs:
    """Pairs of rows and columns with the largest sum of ``worth`` (R, C); those below ``least`` are none.

    Raises:
        MissingExtraError: SciPy is not installed, which solves it.
    """
    usable = worth >= least
    row, column = usable.nonzero()
    if not len(row):
        return np.zeros((0, 2), np.int64)
    solve = _solver()
    # Where nothing is usable twice there is nothing to solve, as in most frames of a video.
    if not (len(set(row.tolist())) == len(set(column.tolist())) == len(row)):
        # What is no pair counts for nothing, so that it never takes the place of one that is.
        row, column = solve(np.where(usable, worth, 0.0), maximize=True)
        kept = usable[row, column]
        row, column = row[kept], column[kept]
    pairs: Pairs = np.array([row, column], np.int64).T
    return pairs


@cache
def _solver() -> Callable[..., Any]:
    with requires_extra("video"):
        from scipy.optimize import linear_sum_assignment
    solve: Callable[..., Any] = linear_sum_assignment
    return solve
