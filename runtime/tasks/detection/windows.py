"""Overlapping windows over a picture, for things that are too small in the whole of it (Akyon et al. 2022, SAHI)."""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.runtime.tasks.detection.decoding import Candidates

Tile = int | Literal["auto"]
"""The side of windows in pixels of the picture; ``auto`` for those that the network sees at the picture's own scale."""

SMALLEST = 32
_OVERLAP = 0.25
"""Of neighbours, of a window's side: what is smaller than that is whole in one of them."""
_MARGIN = 0.02
"""Of a window's side: a box that ends so near to where the picture was cut is that of a part."""
_ENOUGH = 1.25
"""Windows are of use from a picture on that has so many times the sides of one."""
_MOST = 4096


class Window(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, image: Image.Image) -> Image.Image:
        """What is in it."""
        return image if self == (0, 0, *image.size) else image.crop(self)

    def whole_things(self, found: Candidates, size: tuple[int, int]) -> Candidates:
        """What was ``found`` in it, in pixels of the picture of ``size`` (height, width).

        What it cuts through is left out: that is whole in a neighbour, or in the whole picture.
        """
        height, width = size
        margin_x, margin_y = _MARGIN * (self.right - self.left), _MARGIN * (self.bottom - self.top)
        low = np.array(
            [margin_x if self.left else -np.inf, margin_y if self.top else -np.inf],
        )
        high = np.array(
            [
                self.right - self.left - margin_x if self.right < width else np.inf,
                self.bottom - self.top - margin_y if self.bottom < height else np.inf,
            ]
        )
        whole = ((found.boxes[:, :2] >= low) & (found.boxes[:, 2:] <= high)).all(axis=1)
        place = np.array([self.left, self.top], np.float32)
        points = found.points
        if points is not None:
            points = points[whole]
            points[:, :, :2] += place
        return Candidates(found.boxes[whole] + np.tile(place, 2), found.scores[whole], found.classes[whole], points)


def windows(size: tuple[int, int], tile: Tile | None, network: tuple[int, int] | None) -> list[Window]:
    """Where to look in a picture of ``size``: in the whole, and in windows where they show more.

    Args:
        size: (height, width) of the picture.
        tile: ``None``: only in the whole.
        network: (height, width) of the network's input; ``None`` where that has the picture's own size, of which
            windows show no more, so that ``auto`` is the whole alone.

    Raises:
        InputError: there would be thousands.
    """
    height, width = size
    whole = Window(0, 0, width, height)
    if tile is None or (tile == "auto" and network is None):
        return [whole]
    if tile == "auto":
        assert network is not None
        rows, columns = network
    elif network is None:
        rows = columns = tile
    else:  # of the input's shape, so that nothing is squeezed or padded
        rows, columns = (max(1, round(tile * side / max(network))) for side in network)
    if height <= _ENOUGH * rows and width <= _ENOUGH * columns:
        return [whole]
    tops, lefts = list(_starts(height, rows)), list(_starts(width, columns))
    if len(tops) * len(lefts) > _MOST:
        raise InputError(
            f"windows of {tile} pixels over {width}x{height} would be {len(tops) * len(lefts)}, more than {_MOST};"
            " take a larger --tile"
        )
    parts = (Window(left, top, min(left + columns, width), min(top + rows, height)) for top in tops for left in lefts)
    return [whole, *parts]


def joined(parts: list[Candidates]) -> Candidates:
    """All of several."""
    if len(parts) == 1:
        return parts[0]
    boxes, scores, classes, points, _ = zip(*parts, strict=True)
    together = None if points[0] is None else np.concatenate(points)
    return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes), together)


def _starts(length: int, side: int) -> Iterator[int]:
    """Evenly spread, with the overlap at least; the last window ends with the picture."""
    if length <= side:
        yield 0
        return
    count = math.ceil((length - side) / (side * (1 - _OVERLAP))) + 1
    for number in range(count):
        yield round(number * (length - side) / (count - 1))
