"""The assignment problem: who goes with whom so that the sum is the largest."""

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
    rows, columns = np.flatnonzero(usable.any(axis=1)), np.flatnonzero(usable.any(axis=0))
    if not len(rows):
        return np.zeros((0, 2), np.int64)
    with requires_extra("video"):
        from scipy.optimize import linear_sum_assignment
    # What is no pair counts for nothing, so that it never takes the place of one that is.
    among = np.where(usable, worth, 0.0)[np.ix_(rows, columns)]
    row, column = linear_sum_assignment(among, maximize=True)
    pairs: Pairs = np.stack([rows[row], columns[column]], axis=1).astype(np.int64)
    return pairs[usable[pairs[:, 0], pairs[:, 1]]]
