"""Things told apart by embeddings that are alike within each: mean shift (Comaniciu & Meer 2002)."""

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.segmentation.maps import Array
from edgevision.runtime.tasks.segmentation.spec import ClusteringSpec

_SHIFTS = 10
"""At most; a mean of embeddings that training drew together rests after two or three."""
_TRIES = 2000
"""Clusters that are looked for at most: embeddings that no training drew together are nearly as many as pixels."""
_RESTS = 0.01
"""Of the radius: a mean that moves less has arrived."""


def clusters(embedding: Array, foreground: Array, inside: NDArray[np.bool_], spec: ClusteringSpec) -> NDArray[np.int32]:
    """The cluster that each pixel belongs to, the ones with the surest pixel first.

    Of the pixels that are left the surest is the first mean; what is within the radius gives the next one, until that
    rests, and is a cluster.

    Args:
        embedding: (channels, height, width), finite.
        foreground: (height, width): how sure it is that a pixel belongs to a thing.
        inside: (height, width); what is outside belongs to nothing.

    Returns:
        (height, width): 0 outside and in clusters that are smaller than ``spec`` says, 1 .. N in the others.
    """
    labels = np.zeros(inside.shape, np.int32)
    pixels = np.flatnonzero(inside)
    pixels = pixels[np.argsort(-foreground.ravel()[pixels], kind="stable")]
    points = np.ascontiguousarray(embedding.reshape(len(embedding), -1)[:, pixels].T)
    number = 0
    for _ in range(_TRIES):
        if len(pixels) < max(spec.min_area, 1):
            break
        alike = _alike(points, spec.radius)
        if np.count_nonzero(alike) >= spec.min_area:
            number += 1
            labels.ravel()[pixels[alike]] = number
        pixels, points = pixels[~alike], points[~alike]
    return labels


def _alike(points: Array, radius: float) -> NDArray[np.bool_]:
    """Which of ``points`` (N, channels) are of one cluster with the first."""
    mean = points[0]
    alike = _near(points, mean, radius)
    for _ in range(_SHIFTS):
        moved = points[alike].mean(axis=0)  # never of none: the points are nearer to it than to the last mean
        shift = float(np.linalg.norm(moved - mean))
        mean = moved
        alike = _near(points, mean, radius)
        if shift < _RESTS * radius:
            break
    return alike


def _near(points: Array, mean: Array, radius: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.square(points - mean).sum(axis=1) <= radius**2
    return near
