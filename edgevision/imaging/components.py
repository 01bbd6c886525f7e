"""The part of a mask that hangs together with a place in it."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def component_at(mask: Mask, x: int, y: int) -> Mask:
    """What of ``mask`` (H, W) is reached from the pixel in column ``x`` and row ``y`` by steps to the four sides.

    Nothing where the mask is not true there. Runs of pixels are reached whole, in rows and in columns by turns.
    """
    reached = np.zeros_like(mask)
    reached[y, x] = mask[y, x]
    across, down = _runs(mask), _runs(mask.T)
    count = 0
    while count < (found := int(np.count_nonzero(reached))):
        count = found
        reached = _whole_runs(across, reached)
        reached = _whole_runs(down, reached.T).T
    return reached


def _runs(mask: Mask) -> NDArray[np.int32]:
    """The number of the run in its row that each pixel belongs to, from 1; 0 outside the mask."""
    starts = mask.copy()
    starts[:, 1:] &= ~mask[:, :-1]
    numbers = np.cumsum(starts.ravel(), dtype=np.int32).reshape(mask.shape)
    numbers *= mask
    return numbers


def _whole_runs(runs: NDArray[np.int32], reached: Mask) -> Mask:
    touched = np.zeros(int(runs.max()) + 1, np.bool_)
    touched[runs[reached]] = True
    touched[0] = False
    whole: Mask = touched[runs]
    return whole
