"""Sums and means over square windows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


def window_sum(array: NDArray[Any], radius: int) -> Array:
    """The sum over (2 radius + 1) squared places around each of ``array`` (H, W, C), the border repeated; float32."""
    for axis in (0, 1):
        length = array.shape[axis]
        padding = [(0, 0)] * 3
        padding[axis] = (radius, radius)
        padded = np.moveaxis(np.pad(array, padding, mode="edge"), axis, 0)
        total = padded[:length].astype(np.float32)
        for first in range(1, 2 * radius + 1):
            total += padded[first : first + length]
        array = np.moveaxis(total, 0, axis)
    return array


def window_mean(array: NDArray[Any], radius: int) -> Array:
    """As :func:`window_sum`, the mean."""
    return window_sum(array, radius) / np.float32((2 * radius + 1) ** 2)
