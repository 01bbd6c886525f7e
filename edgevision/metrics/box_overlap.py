"""How much boxes (x1, y1, x2, y2) overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def box_areas(boxes: NDArray[Any]) -> NDArray[Any]:
    """(N,): of boxes (N, 4), 0 where a corner is on the wrong side."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: NDArray[Any] = sides[:, 0] * sides[:, 1]
    return areas


def intersection_over_union(
    one: NDArray[Any], other: NDArray[Any], crowd: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """(N, M) of boxes (N, 4) and (M, 4); 0 for two without area.

    With a ``crowd`` (M,) of the others it is the part of the first box that lies in it, as COCO has it.
    """
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = box_areas(one)[:, None] + box_areas(other)[None] - shared
    if crowd is not None:
        union = np.where(crowd[None], box_areas(one)[:, None], union)
    ratio: NDArray[Any] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio
