"""Things told apart by a landscape that is high in the middle of each: one label for each hill."""

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.segmentation.spec import WatershedSpec

# The eight cells round one, as (rows, columns).
_NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def hills(landscape: NDArray[np.float32], inside: NDArray[np.bool_], spec: WatershedSpec) -> NDArray[np.int32]:
    """The hill that each pixel lies on, by steepest ascent; hills without prominence belong to the one beside them.

    This is clustering by topological persistence (Chazal et al. 2013, ToMATo) on the grid of pixels, the maxima of the
    watershed's basins turned upside down: a hill whose top stands less than ``spec.prominence`` above the saddle to a
    higher one is joined to it, the highest saddle first.

    Args:
        landscape: (height, width), finite.
        inside: (height, width); what is outside belongs to nothing, and joins nothing.

    Returns:
        (height, width): 0 outside and on what ``spec`` leaves out, 1 .. N on the hills in the order of their tops.
    """
    height, width = landscape.shape
    pixels = np.flatnonzero(inside)
    labels = np.zeros(height * width, np.int32)
    if not len(pixels):
        return labels.reshape(height, width)
    # Heights are told apart by rank, as on a plateau no pixel is the highest.
    heights = landscape.ravel()[pixels]
    order = np.argsort(-heights, kind="stable")
    rank = np.full((height + 2) * (width + 2), len(pixels), np.int64)
    framed = (pixels // width + 1) * (width + 2) + pixels % width + 1
    rank[framed[order]] = np.arange(len(pixels))
    own = rank[framed]
    beside = np.stack([rank[framed + y * (width + 2) + x] for y, x in _NEIGHBOURS])
    by_rank = np.empty((len(pixels), len(_NEIGHBOURS)), np.int64)
    by_rank[own] = beside.T
    tops = _ascend(np.minimum(by_rank.min(axis=1), np.arange(len(pixels))))
    sorted_heights = heights[order]
    merged = _joined(tops, by_rank, sorted_heights, spec.prominence)
    found = np.zeros(len(pixels), np.int32)
    areas = np.bincount(merged, minlength=len(pixels))
    number = 0
    numbers = np.zeros(len(pixels), np.int32)
    for top in np.flatnonzero(areas):
        if sorted_heights[top] >= spec.min_peak and areas[top] >= spec.min_area:
            number += 1
            numbers[top] = number
    found[order] = numbers[merged]
    labels[pixels] = found
    return labels.reshape(height, width)


def _ascend(higher: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the way up from each pixel ends, by doubling the steps until none moves."""
    while True:
        further = higher[higher]
        if np.array_equal(further, higher):
            return higher
        higher = further


def _joined(
    tops: NDArray[np.int64], beside: NDArray[np.int64], heights: NDArray[np.float32], prominence: float
) -> NDArray[np.int64]:
    """The top of each pixel's hill, once hills without prominence are joined; all are ranks, the highest 0."""
    count = len(tops)
    one = np.repeat(np.arange(count), beside.shape[1])
    other = beside.ravel()
    # Each pair of neighbours once, as seen from the lower one, whose rank is the height of the pass between them.
    lower = other < one
    one, other = one[lower], other[lower]
    apart = tops[one] != tops[other]
    one, other = one[apart], other[apart]
    high, low = np.minimum(tops[one], tops[other]), np.maximum(tops[one], tops[other])
    # The pixels come in the order of their ranks, so that the first of a pair of hills is their saddle.
    _, saddles = np.unique(high * count + low, return_index=True)
    saddles.sort()
    root = np.arange(count)

    def find(top: int) -> int:
        while root[top] != top:
            root[top] = root[root[top]]
            top = int(root[top])
        return top

    for index in saddles:
        first, second = sorted((find(int(high[index])), find(int(low[index]))))
        if first != second and heights[second] - heights[one[index]] <= prominence:
            root[second] = first
    return np.asarray(_ascend(root)[tops])
