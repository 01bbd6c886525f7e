"""Before, mask and after in one picture, for a person to judge."""

import numpy as np
from PIL import Image

from edgevision.images import gray_8, to_array
from edgevision.pictures import Picture

_GAP = 8


def side_by_side(before: Picture, after: Picture, mask: np.ndarray | None = None) -> Picture:
    """uint8 RGB on white, from left to right; a smaller ``before`` is enlarged as a viewer would show it."""
    height, width = after.size
    first = before.to_pillow()
    if before.size != after.size:
        if before.alpha is None:
            first = Image.fromarray(to_array(first))
        elif first.mode == "I;16":  # in which one value stands for transparent, and is not to be mixed with others
            first = gray_8(first)
        first = first.resize((width, height), Image.Resampling.BICUBIC)
    panels = [to_array(first)]
    if mask is not None:
        panels.append(np.repeat(mask[:, :, None].astype(np.uint8) * 255, 3, axis=2))
    panels.append(to_array(after.to_pillow()))
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (panel, gap)][:-1]
    return Picture(np.concatenate(parts, axis=1))


def side_by_side_size(size: tuple[int, int], *, masked: bool) -> tuple[int, int]:
    """(height, width) of :func:`side_by_side` for a result of that (height, width)."""
    panels = 3 if masked else 2
    return size[0], panels * size[1] + (panels - 1) * _GAP
