"""Before, mask and after in one picture, for a person to judge."""

import numpy as np
from PIL import Image

from edgevision.imaging.images import gray_8, to_array
from edgevision.imaging.pictures import Picture
from edgevision.imaging.tiling import row_strips

_GAP = 8


def side_by_side(before: Picture, after: Picture, mask: np.ndarray | None = None) -> Picture:
    """uint8 RGB on white, from left to right; a smaller ``before`` is enlarged as a viewer would show it."""
    height, width = after.height, after.width
    enlarged = None if (before.height, before.width) == (height, width) else _enlarged(before, height, width)
    sheet = np.full((*side_by_side_size((height, width), masked=mask is not None), 3), 255, np.uint8)
    for rows in row_strips(height, width):
        if enlarged is None:
            first = before.rows(rows.start, rows.stop).to_pillow()
        else:
            first = enlarged.crop((0, rows.start, width, rows.stop))
        panels = [to_array(first), to_array(after.rows(rows.start, rows.stop).to_pillow())]
        if mask is not None:
            panels.insert(1, mask[rows, :, None].astype(np.uint8) * 255)
        for number, panel in enumerate(panels):
            left = number * (width + _GAP)
            sheet[rows, left : left + width] = panel
    return Picture(sheet)


def _enlarged(picture: Picture, height: int, width: int) -> Image.Image:
    image = picture.to_pillow()
    if picture.alpha is None:
        image = Image.fromarray(to_array(image))
    elif image.mode == "I;16":  # in which one value stands for transparent, and is not to be mixed with others
        image = gray_8(image)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def side_by_side_size(size: tuple[int, int], *, masked: bool) -> tuple[int, int]:
    """(height, width) of :func:`side_by_side` for a result of that (height, width)."""
    panels = 3 if masked else 2
    return size[0], panels * size[1] + (panels - 1) * _GAP
