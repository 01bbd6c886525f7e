"""The parts of a mask that hang together, by steps to the four sides."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def component_at(mask: Mask, x: int, y: int) -> Mask:
    """What of ``mask`` (H, W) hangs together with the pixel in column ``x`` and row ``y``.

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


def label_components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The number of the part that each pixel belongs to, from 1, 0 outside the mask; and the area of each part."""
    inside = mask.ravel()
    labels = np.where(inside, np.arange(1, mask.size + 1, dtype=np.int32), 0).astype(np.int32)
    across = _runs(mask).ravel()
    # The columns' runs at the places of the pixels in rows.
    down = np.ascontiguousarray(_runs(mask.T).T).ravel()
    changed = True
    while changed:
        before = labels
        for runs in (across, down):
            least = np.full(int(runs.max(initial=0)) + 1, mask.size + 1, np.int32)
            np.minimum.at(least, runs[inside], labels[inside])
            labels = np.where(inside, least[runs], np.int32(0))
        changed = not np.array_equal(before, labels)
    _, numbers, areas = np.unique(labels[inside], return_inverse=True, return_counts=True)
    numbered = np.zeros(mask.size, np.int32)
    numbered[inside] = numbers + 1
    return numbered.reshape(mask.shape), areas


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
