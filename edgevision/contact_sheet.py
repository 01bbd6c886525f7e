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
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet
