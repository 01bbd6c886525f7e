"""Filling holes smoothly from what surrounds them, by pull and push through a pyramid (Gortler et al. 1996, 6.2).

The inpainting network starts from this guess instead of from black, in training and on the device alike, and holes too
large for it are filled from the coarse levels of the same pyramid to the fine ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def fill_smoothly(image: Array, known: Array) -> Array:
    """Replace the unknown pixels by a smooth continuation of the known ones, which stay as they are.

    Args:
        image: float32 (..., H, W, C); the values of unknown pixels are ignored.
        known: float32 (..., H, W, 1), 1 where the pixel is known and 0 where it is not.

    Returns:
        float32 of the image's shape; gray 0.5 where nothing is known at all.
    """
    if known.all():
        return image
    if image.shape[-3] == 1 and image.shape[-2] == 1:
        return np.where(known > 0, image, np.float32(0.5))
    filled = double(fill_smoothly(*halve_known(image, known)), image.shape[-3], image.shape[-2])
    np.copyto(filled, image, where=known > 0)
    return filled


def halve_known(image: Array, known: Array) -> tuple[Array, Array]:
    """Half the height and width, rounded up: each pixel the mean of the known ones among the four it stands for.

    ``known`` may be anything between 0 and 1, by which the pixels are weighted; the second result is their sum, or 1.
    """
    weighted = _even(image * known)
    weights = _even(known)
    total = _sum_of_four(weights)
    mean = (_sum_of_four(weighted) / np.where(total > 0, total, 1)).astype(np.float32, copy=False)
    return mean, np.minimum(total, 1).astype(np.float32, copy=False)


def double(image: Array, height: int, width: int) -> Array:
    """Twice the height and width, interpolated bilinearly and cropped to ``height`` and ``width``."""
    return _double_axis(_double_axis(image, -3), -2)[..., :height, :width, :]


def enlarged_part(coarse: Array, rows: slice, columns: slice) -> Array:
    """The part (rows, columns, C) of ``coarse`` (H, W, C) enlarged twofold, as if all of it had been enlarged."""
    top, left = max(rows.start // 2 - 1, 0), max(columns.start // 2 - 1, 0)
    part = coarse[top : (rows.stop + 1) // 2 + 1, left : (columns.stop + 1) // 2 + 1]
    large = double(part, 2 * part.shape[0], 2 * part.shape[1])
    return large[rows.start - 2 * top : rows.stop - 2 * top, columns.start - 2 * left : columns.stop - 2 * left]


def coarse_levels(known: NDArray[Any], depth: int = 4) -> int:
    """How often to halve the picture until its largest hole is small enough for the network to see across.

    A hole counts as small when ``depth`` more halvings leave at most a trace of it, which for 4 is some 60 pixels.
    ``known`` is that of :func:`fill_smoothly`, or the same as bool, which takes a quarter of the memory.
    """
    halvings = 0
    while not known.all() and max(known.shape[-3:-1]) > 1:
        known = _sum_of_four(_even(known)) > 0
        halvings += 1
    return max(0, halvings - depth - 1)


def _even(array: NDArray[Any]) -> NDArray[Any]:
    height, width = array.shape[-3:-1]
    if height % 2 == 0 and width % 2 == 0:
        return array
    padding = [(0, 0)] * (array.ndim - 3) + [(0, height % 2), (0, width % 2), (0, 0)]
    return np.pad(array, padding)


def _sum_of_four(array: NDArray[Any]) -> NDArray[Any]:
    """Of bools it is whether any is true."""
    rows = array[..., ::2, :, :] + array[..., 1::2, :, :]
    total: NDArray[Any] = rows[..., ::2, :] + rows[..., 1::2, :]
    return total


def _double_axis(array: Array, axis: int) -> Array:
    doubled = np.repeat(array, 2, axis)
    doubled *= 0.75
    # Pixel centres of the finer grid lie a quarter of a coarse pixel to either side; beyond the border it goes on.
    quarter = np.moveaxis(0.25 * array, axis, 0)
    finer = np.moveaxis(doubled, axis, 0)
    finer[0] += quarter[0]
    finer[2::2] += quarter[:-1]
    finer[1:-1:2] += quarter[1:]
    finer[-1] += quarter[-1]
    return doubled
