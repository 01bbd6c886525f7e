"""The guided filter: a map takes over the edges of a picture (He, Sun & Tang, "Guided Image Filtering", ECCV 2010).

In every window the map is fitted by a linear function of the picture's colours, so that it changes where the picture
does. The fits can be made at a smaller size and applied at the full one ("Fast Guided Filter", He & Sun 2015), a few
rows at a time: then a large picture takes little more memory than a small one.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.resampling import enlarged_rows
from edgevision.imaging.samples import Array, Samples, as_float


class LinearFits:
    """At every place the slopes (C, h, w) and the offset (h, w) by which a picture's colours give a map."""

    def __init__(self, slopes: Array, offset: Array) -> None:
        self.slopes, self.offset = slopes, offset

    @classmethod
    def of(cls, source: Array, guide: Array, *, radius: int, epsilon: float) -> Self:
        """The means of the fits of all windows that hold a place.

        Args:
            source: the map, float32 (h, w).
            guide: the picture, float32 (h, w, 1 or 3) in 0..1.
            radius: of a window; what is further away from an edge does not move there.
            epsilon: the variance of the guide below which a window counts as flat, and its map is averaged.
        """
        channels = guide.shape[2]
        mean_source, mean_guide = box_mean(source, radius), box_mean(guide, radius)
        covariance = box_mean(guide * source[:, :, None], radius) - mean_guide * mean_source[:, :, None]
        spread = np.empty((*source.shape, channels, channels))
        for one in range(channels):
            for other in range(one, channels):
                product = box_mean(guide[:, :, one] * guide[:, :, other], radius)
                product -= mean_guide[:, :, one] * mean_guide[:, :, other]
                spread[:, :, one, other] = spread[:, :, other, one] = product
            spread[:, :, one, one] += epsilon
        slopes = np.linalg.solve(spread, covariance[:, :, :, None])[:, :, :, 0]
        offset = mean_source - (slopes * mean_guide).sum(axis=2)
        mean_slopes = np.moveaxis(box_mean(slopes, radius), 2, 0).astype(np.float32)
        return cls(mean_slopes, box_mean(offset, radius).astype(np.float32))

    def applied(self, guide: Samples, rows: slice) -> Array:
        """The filtered map at these rows of the picture (H, W, C), of the size of the fits or larger; float32 (n, W).

        Near strong edges it may leave the range of the source by a little.
        """
        size = guide.shape[0], guide.shape[1]
        filtered = enlarged_rows(self.offset, size, rows)
        for channel, slopes in enumerate(self.slopes):
            slope = enlarged_rows(slopes, size, rows)
            slope *= as_float(guide[rows, :, channel])
            filtered += slope
        return filtered


def guided_filter(source: Array, guide: Array, *, radius: int, epsilon: float) -> Array:
    """``source`` (h, w) with its edges where those of ``guide`` are; arguments as in :meth:`LinearFits.of`."""
    return LinearFits.of(source, guide, radius=radius, epsilon=epsilon).applied(guide, slice(0, guide.shape[0]))


def box_mean(values: NDArray[Any], radius: int) -> NDArray[np.float64]:
    """The mean of the windows of ``2 * radius + 1`` around each place of (H, W, ...), of what of them is inside."""
    return _mean_along(_mean_along(values, radius, 0), radius, 1)


def _mean_along(values: NDArray[Any], radius: int, axis: int) -> NDArray[np.float64]:
    length = values.shape[axis]
    sums = np.concatenate([np.zeros_like(values, np.float64, shape=_with(values.shape, axis, 1)), values], axis)
    np.cumsum(sums, axis, out=sums)
    places = np.arange(length)
    first, stop = np.maximum(places - radius, 0), np.minimum(places + radius + 1, length)
    mean = sums.take(stop, axis)
    mean -= sums.take(first, axis)
    mean /= (stop - first).reshape([-1 if at == axis else 1 for at in range(values.ndim)])
    return mean


def _with(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])
