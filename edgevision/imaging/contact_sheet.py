"""Many small pictures on one sheet, for a person to look at."""

import math

import numpy as np
from numpy.typing import NDArray

_GAP = 2


def contact_sheet(pictures: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """Lay ``pictures`` (N, H, W, C) out in rows of ``columns``, by default as square as possible, on white.

    Returns:
        uint8 (rows, columns, C), a line of white of two pixels between the pictures.
    """
    count, height, width, channels = pictures.shape
    columns = columns or _columns(count)
    sheet = np.full((*sheet_size(count, (height, width), columns), channels), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def sheet_size(count: int, size: tuple[int, int], columns: int | None = None) -> tuple[int, int]:
    """The rows and columns of pixels of the :func:`contact_sheet` of ``count`` pictures of that (height, width)."""
    columns = columns or _columns(count)
    return math.ceil(count / columns) * (size[0] + _GAP) - _GAP, columns * (size[1] + _GAP) - _GAP


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))
