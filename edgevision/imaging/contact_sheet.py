"""Many small pictures on one sheet, for a person to look at."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_GAP = 2
_CAPTION_HEIGHT = 12


def contact_sheet(
    pictures: NDArray[np.uint8], columns: int | None = None, captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Lay ``pictures`` (N, H, W, C) out in rows of ``columns``, by default as square as possible, on white.

    Returns:
        uint8 (rows, columns, C), a line of white of two pixels between the pictures, and under each its caption, cut
        off at the picture's width, where there are ``captions``.
    """
    count, height, width, channels = pictures.shape
    columns = columns or _columns(count)
    sheet = np.full((*sheet_size(count, (height, width), columns, captioned=bool(captions)), channels), 255, np.uint8)
    under = height + (_CAPTION_HEIGHT if captions else 0)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (under + _GAP), index % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
        if captions:
            sheet[top + height : top + under, left : left + width] = _caption(captions[index], width)
    return sheet


def sheet_size(
    count: int, size: tuple[int, int], columns: int | None = None, *, captioned: bool = False
) -> tuple[int, int]:
    """The rows and columns of pixels of the :func:`contact_sheet` of ``count`` pictures of that (height, width)."""
    columns = columns or _columns(count)
    height = size[0] + (_CAPTION_HEIGHT if captioned else 0)
    return math.ceil(count / columns) * (height + _GAP) - _GAP, columns * (size[1] + _GAP) - _GAP


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _caption(text: str, width: int) -> NDArray[np.uint8]:
    """``text`` in black on white, in the middle where it fits; (rows, ``width``, 1)."""
    strip = Image.new("L", (width, _CAPTION_HEIGHT), 255)
    draw = ImageDraw.Draw(strip)
    left = max(0, (width - draw.textlength(text)) // 2)
    draw.text((left, _CAPTION_HEIGHT // 2), text, fill=0, anchor="lm")
    return np.asarray(strip)[:, :, None]
