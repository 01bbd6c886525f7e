"""Masks that reach further, or less far: dilation and erosion by a regular octagon, which is nearly a disc."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# A square of this half side and a diamond of the rest of the radius add up to an octagon of equal sides.
_SQUARE_SHARE = 1 / (1 + 2**0.5)


def grow(mask: Mask, radius: int) -> Mask:
    """``mask`` (H, W) and all that is at most ``radius`` pixels from it; nothing is further than a tenth more.

    The time it takes grows with the logarithm of the radius.
    """
    if radius < 1 or not mask.any():
        return mask.copy()
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    # A frame, so that nothing is lost at an edge that would come back along a diagonal.
    top, left = max(int(rows[0]) - radius, 0), max(int(columns[0]) - radius, 0)
    window = np.s_[top : int(rows[-1]) + radius + 1, left : int(columns[-1]) + radius + 1]
    part = np.pad(mask[window], radius)
    half_side = round(_SQUARE_SHARE * radius)
    for steps, y, x in ((2 * half_side, 0, 1), (2 * half_side, 1, 0)):
        part = _swept(part, steps, y, x)
    # Two diagonals give every second pixel of a diamond, and a cross at each of them gives the others.
    diagonal = radius - half_side - 1
    part = _swept(_swept(part, diagonal, 1, 1), diagonal, 1, -1)
    part = part | _moved(part, 0, 1) | _moved(part, 0, -1) | _moved(part, 1, 0) | _moved(part, -1, 0)
    grown = mask.copy()
    down, across = half_side + diagonal, half_side
    grown[window] |= _moved(part, -down, -across)[radius:-radius, radius:-radius]
    return grown


def shrink(mask: Mask, radius: int) -> Mask:
    """What of ``mask`` is more than ``radius`` pixels from all that is not of it; a picture's edge is no end of it."""
    return ~grow(~mask, radius)


def _swept(mask: Mask, steps: int, y: int, x: int) -> Mask:
    """The mask together with its copies that are moved by 1 to ``steps`` times (y, x)."""
    done = 0
    while done < steps:
        step = min(done + 1, steps - done)
        mask = mask | _moved(mask, step * y, step * x)
        done += step
    return mask


def _moved(mask: Mask, y: int, x: int) -> Mask:
    """The mask moved down by ``y`` and to the right by ``x``; what leaves the array is lost."""
    height, width = mask.shape
    moved = np.zeros_like(mask)
    moved[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = mask[
        max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)
    ]
    return moved
