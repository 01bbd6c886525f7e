"""Arrays at other sizes, by Pillow's filters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.samples import Array, as_float


def resized(values: NDArray[Any], size: tuple[int, int]) -> Array:
    """uint8, uint16 or float32 (H, W) or (H, W, C) at ``size`` (height, width), float32.

    What becomes smaller is the mean of what it stands for; what becomes larger is interpolated bilinearly.
    """
    height, width = values.shape[:2]
    if (height, width) == size:
        return as_float(values)
    if values.ndim == 3:
        return np.stack([resized(values[:, :, channel], size) for channel in range(values.shape[2])], axis=2)
    # A copy in floats of a large picture is avoided where it has 8 bits, of which nothing more comes anyway.
    image = Image.fromarray(np.ascontiguousarray(values) if values.dtype == np.uint8 else as_float(values))
    shrinks = size[0] <= height and size[1] <= width
    return as_float(
        np.asarray(image.resize(size[::-1], Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR))
    )


def enlarged_rows(values: Array, size: tuple[int, int], rows: slice) -> Array:
    """The ``rows`` of float32 (h, w) enlarged bilinearly to ``size`` (height, width), as if all of it had been."""
    height, width = size
    if values.shape == size:
        return values[rows].copy()
    per_row = values.shape[0] / height
    # Pillow's filter reaches beyond the box.
    box = (0, rows.start * per_row, values.shape[1], min(rows.stop * per_row, values.shape[0]))
    image = Image.fromarray(values).resize((width, rows.stop - rows.start), Image.Resampling.BILINEAR, box=box)
    return np.array(image)
