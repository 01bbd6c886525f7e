"""Masks of networks without the specks and pinholes that nobody would have drawn."""

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.components import label_components

Mask = NDArray[np.bool_]

# Of the largest part's area: what is smaller is none of the subjects.
_SPECK = 0.1
# Of the mask's area: what is smaller is no place where one sees through.
_PINHOLE = 0.01


def tidied(mask: Mask) -> Mask:
    """``mask`` (H, W) without parts that are small beside the largest, and with small holes in it filled."""
    labels, areas = label_components(mask)
    large = areas >= _SPECK * areas.max(initial=0)
    return without_holes(np.concatenate([[False], large])[labels], _PINHOLE)


def without_holes(mask: Mask, share: float) -> Mask:
    """``mask`` (H, W) with what it encloses filled, where that is smaller than a ``share`` of its area."""
    holes, areas = label_components(~mask)
    is_hole = np.concatenate([[False], areas < share * np.count_nonzero(mask)])
    is_hole[np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])] = False
    filled: Mask = mask | is_hole[holes]
    return filled
