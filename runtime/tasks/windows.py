"""Overlapping windows over a picture, for what is too small in the whole of it (Akyon et al. 2022, SAHI)."""

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened

Tile = int | Literal["auto"]
"""The side of windows in pixels of the picture; ``auto`` for those that the network sees at the picture's own scale."""

_SMALLEST = 32
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

    def weights(self, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How much its rows and its columns count in a picture of ``size`` (height, width), above 0 to 1.

        They count less towards where it was cut out of the picture, over what it shares with a neighbour.
        """
        height, width = size
        return _weights(self.top, self.bottom, height), _weights(self.left, self.right, width)

    def cuts(self, boxes: NDArray[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Which of ``boxes`` (N, 4), in its own pixels, end where it was cut out of the picture of ``size``.

        Of such a thing it may hold a part only. ``size`` is (height, width).
        """
        height, width = size
        across, down = self.right - self.left, self.bottom - self.top
        margin_x, margin_y = _MARGIN * across, _MARGIN * down
        low = [margin_x if self.left else -np.inf, margin_y if self.top else -np.inf]
        high = [
            across - margin_x if self.right < width else np.inf,
            down - margin_y if self.bottom < height else np.inf,
        ]
        cut: NDArray[np.bool_] = np.any((boxes[:, :2] < low) | (boxes[:, 2:] > high), axis=1)
        return cut


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


def _weights(start: int, stop: int, length: int) -> NDArray[np.float32]:
    middles = np.arange(stop - start, dtype=np.float32) + 0.5
    ramp = _OVERLAP * (stop - start)
    weights = np.ones(stop - start, np.float32)
    if start:
        weights = np.minimum(weights, middles / ramp)
    return np.minimum(weights, middles[::-1] / ramp) if stop < length else weights


def _starts(length: int, side: int) -> Iterator[int]:
    """Evenly spread, with the overlap at least; the last window ends with the picture."""
    if length <= side:
        yield 0
        return
    count = math.ceil((length - side) / (side * (1 - _OVERLAP))) + 1
    for number in range(count):
        yield round(number * (length - side) / (count - 1))


def parse_tile(text: str) -> Tile:
    """What ``--tile`` says.

    Raises:
        InputError: neither ``auto`` nor a number of pixels.
    """
    if text == "auto":
        return "auto"
    if not (text.isascii() and text.isdigit()) or not _SMALLEST <= int(text[:9]) <= 1 << 16:
        raise InputError(f"--tile is auto, or from {_SMALLEST} to 65536 pixels, not {shortened(text)}")
    return int(text)
