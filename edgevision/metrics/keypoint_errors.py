"""How far points are from where they should be: NME, PCK and COCO's object keypoint similarity."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_UNKNOWN_SIGMA = 0.05


def normalised_errors(found: Array, truth: Array, visible: NDArray[np.bool_], scale: float) -> Array:
    """The distance of each visible point (K, 2) from the true one, divided by ``scale``."""
    distances: Array = np.linalg.norm(found[visible] - truth[visible], axis=1) / scale
    return distances


def error_scale(points: Array, visible: NDArray[np.bool_], box: Array, pair: tuple[int, int] | None) -> float:
    """What a thing's errors are measured in: the distance of a ``pair`` of its points, where both are visible.

    Else it is the square root of the area of its ``box`` (x1, y1, x2, y2).
    """
    if pair is not None and visible[list(pair)].all():
        one, other = points[list(pair)]
        return float(np.linalg.norm(one - other))
    width, height = box[2:] - box[:2]
    return float(np.sqrt(width * height))


def default_sigmas(points: int) -> Array:
    """What stands for the spread of each point where nobody measured it."""
    return np.full(points, _UNKNOWN_SIGMA)


def keypoint_similarity(
    found: Array, truth: Array, visible: NDArray[np.bool_], boxes: Array, areas: Array, sigmas: Array
) -> Array:
    """COCO's OKS of found points (N, K, 2) with those of things (M, K, 2): (N, M), as ``COCOeval.computeOks``.

    Where a thing has no visible point, errors are how far points are outside of its box grown to twice its sides.
    """
    spread = (2 * sigmas) ** 2
    similarity = np.zeros((len(found), len(truth)))
    for column, (points, seen, box, area) in enumerate(zip(truth, visible, boxes, areas, strict=True)):
        if seen.any():
            away = found - points
        else:
            sides = box[2:] - box[:2]
            away = np.maximum(box[:2] - sides - found, 0) + np.maximum(found - (box[2:] + sides), 0)
        exponent = (away**2).sum(axis=2) / spread / (area + np.spacing(1)) / 2
        if seen.any():
            exponent = exponent[:, seen]
        similarity[:, column] = np.exp(-exponent).mean(axis=1)
    return similarity
