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
    kept = np.concatenate([[False], large])[labels]
    holes, areas = label_components(~kept)
    small = areas < _PINHOLE * np.count_nonzero(kept)
    is_hole = np.concatenate([[False], small])
    is_hole[np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])] = False
    filled: Mask = kept | is_hole[holes]
    return filled
