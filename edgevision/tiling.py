"""Cutting a picture into overlapping tiles of one size and putting the results together without a seam."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# A wider transition hides no more, and costs accuracy where it nears the tiles' edges.
_WIDEST_RAMP = 32


@dataclass(frozen=True, eq=False)
class Span:
    """The part ``start`` to ``stop`` of one axis; ``stop`` lies beyond the picture where that is padded.

    ``weights`` is float32 (stop - start,); at every place of the axis the weights of all spans add up to 1.
    """

    start: int
    stop: int
    weights: Array

    @property
    def length(self) -> int:
        return self.stop - self.start


def cut(length: int, size: int | None, *, overlap: int, multiple: int) -> tuple[Span, ...]:
    """Spans of exactly ``size`` that cover ``length``, or a single one that covers all where ``size`` is ``None``.

    Starts and lengths are multiples of ``multiple``. Where two spans meet, only what is at least three quarters of
    ``overlap`` away from their ends has a weight, which passes smoothly from one to the other.

    Raises:
        ValueError: ``size`` is no multiple, or leaves nothing beside the overlaps.
    """
    padded = math.ceil(length / multiple) * multiple
    if size is None:
        return (Span(0, padded, np.ones(padded, np.float32)),)
    if size % multiple:
        raise ValueError(f"a tile's side must be a multiple of {multiple}, not {size}")
    if size >= padded:
        return (Span(0, size, np.ones(size, np.float32)),)
    step = size - 2 * overlap - multiple
    if step < multiple:
        raise ValueError(f"a tile's side must be at least {2 * (overlap + multiple)}, not {size}")
    count = math.ceil((padded - size) / step) + 1
    starts = [(padded - size) * number // (count - 1) // multiple * multiple for number in range(count)]
    spans = [Span(start, start + size, np.ones(size, np.float32)) for start in starts]
    for left, right in pairwise(spans):
        shared = left.stop - right.start
        ramp = _ramp(shared, min(shared / 8, (right.start - left.start) / 2, _WIDEST_RAMP))
        left.weights[size - shared :] *= 1 - ramp
        right.weights[:shared] *= ramp
    return tuple(spans)


def blend(
    rows: tuple[Span, ...],
    columns: tuple[Span, ...],
    shape: tuple[int, int, int],
    scale: int,
    process: Callable[[Span, Span], Array | None],
) -> Iterator[tuple[int, Array]]:
    """Process every tile and put the results together, from top to bottom.

    Args:
        rows, columns: of :func:`cut`, for the height and the width.
        shape: (height, width, channels) of the picture to come, which has ``scale`` times the input's sides.
        process: the result of one tile, float32 (scale rows, scale columns, channels); ``None`` stands for zeros.

    Yields:
        The first row and the finished rows from there, float32 (n, width, channels). Only a band of tiles is held.
    """
    height, width, channels = shape
    carried = np.zeros((0, width, channels), np.float32)
    for number, row in enumerate(rows):
        top = row.start * scale
        band = np.zeros((min(row.stop * scale, height) - top, width, channels), np.float32)
        band[: len(carried)] = carried
        for column in columns:
            tile = process(row, column)
            if tile is None:
                continue
            left = column.start * scale
            weighted = tile[: len(band), : width - left]
            if len(rows) > 1 or len(columns) > 1:
                weighted = weighted * np.repeat(row.weights, scale)[: len(band), None, None]
                weighted *= np.repeat(column.weights, scale)[: width - left, None]
            band[:, left : left + tile.shape[1]] += weighted
        done = rows[number + 1].start * scale - top if number + 1 < len(rows) else len(band)
        yield top, band[:done]
        # A view would keep this band while the next one is made.
        carried = band[done:].copy()
        del band


def take(pixels: NDArray[np.generic], row: Span, column: Span) -> NDArray[np.generic]:
    """The tile of ``pixels`` (H, W, ...) at the two spans, the picture mirrored where they reach beyond it."""
    inside = pixels[row.start : row.stop, column.start : column.stop]
    if inside.shape[:2] == (row.length, column.length):
        return inside
    return pixels[_mirrored(row, pixels.shape[0])][:, _mirrored(column, pixels.shape[1])]


def _mirrored(span: Span, length: int) -> NDArray[np.int64]:
    if length == 1:
        return np.zeros(span.length, np.int64)
    places = np.arange(span.start, span.stop) % (2 * length - 2)
    return np.minimum(places, 2 * length - 2 - places)


def _ramp(length: int, half_width: float) -> Array:
    """From 0 to 1 along half a cosine, around the middle of ``length`` places."""
    place = (np.arange(length) + 0.5 - length / 2) / (2 * max(half_width, 0.5)) + 0.5
    smooth: Array = (0.5 - 0.5 * np.cos(np.pi * np.clip(place, 0, 1))).astype(np.float32)
    return smooth
