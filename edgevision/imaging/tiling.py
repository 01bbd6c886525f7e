"""Cutting a picture into overlapping tiles, whose results come together without a seam, and into strips of rows.

A large picture is handled a few rows at a time where a copy of all, or all its samples in float32, would take much
memory.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgevision.modelfiles.metadata import TileSpec

Array = NDArray[np.float32]

# A wider transition hides no more, and costs accuracy where it nears the tiles' edges.
_WIDEST_RAMP = 32

# Pixels of a strip: few beside any picture that is large, and enough for numpy.
_STRIP = 1 << 19


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


def cut(length: int, size: int | None, tiles: TileSpec, *, exact: bool = False) -> tuple[Span, ...]:
    """Spans of ``size`` that cover ``length``, or a single one that covers all where ``size`` is ``None``.

    Starts are multiples of ``tiles.step`` and lengths of ``tiles.multiple``. The last span ends with the picture, so
    that the network meets the border as it would in the whole picture; where all have to have ``exact``-ly that size,
    it may reach beyond. Where two spans meet, only what is at least three quarters of the overlap away from their ends
    has a weight, which passes smoothly from one to the other.

    Raises:
        ValueError: ``size`` is no multiple, or leaves nothing beside the overlaps.
    """
    padded = tiles.padded(length)
    if size is None:
        return (Span(0, padded, np.ones(padded, np.float32)),)
    if size % tiles.multiple:
        raise ValueError(f"a tile's side must be a multiple of {tiles.multiple}, not {size}")
    if size >= padded:
        return (Span(0, size, np.ones(size, np.float32)),)
    step, overlap = tiles.step, tiles.overlap or 0
    advance = size - 2 * overlap - step
    if advance < step:
        raise ValueError(f"a tile's side must be at least {2 * (overlap + step)}, not {size}")
    last = -(-(padded - size) // step) * step
    count = math.ceil(last / advance) + 1
    starts = [last * number // (count - 1) // step * step for number in range(count)]
    stops = [start + size for start in starts]
    if not exact:
        stops[-1] = padded
    spans = [Span(start, stop, np.ones(stop - start, np.float32)) for start, stop in zip(starts, stops, strict=True)]
    for left, right in pairwise(spans):
        shared = left.stop - right.start
        apart = min(right.start - left.start, right.stop - left.stop)
        ramp = _ramp(shared, min(shared / 8, apart / 2, _WIDEST_RAMP))
        left.weights[left.length - shared :] *= 1 - ramp
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
            tile = tile[: len(band), : width - left]
            down = np.repeat(row.weights, scale)[: len(band), None, None]
            across = np.repeat(column.weights, scale)[: width - left, None]
            for strip in row_strips(*tile.shape[:2]):
                weighted = tile[strip]
                if len(rows) > 1 or len(columns) > 1:
                    weighted = weighted * down[strip]
                    weighted *= across
                band[strip, left : left + tile.shape[1]] += weighted
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


def row_strips(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture of that size from top to bottom, in slices that start at even rows."""
    rows = 2 * max(_STRIP // (2 * width), 1)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


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
