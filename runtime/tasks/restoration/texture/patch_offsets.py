"""Offsets at which a picture repeats itself, from what PatchMatch finds (Barnes et al. 2009; He & Sun 2012)."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.restoration.texture.windows import Array, Mask, window_mean, window_sum

Offsets = NDArray[np.int64]
"""(K, 2): how many rows down and columns right of a pixel its copy is taken from."""

Sample = TypeVar("Sample", bound=np.generic)

# Patches have a side of 7; they are compared at every second of their samples.
_RADIUS = 3
_ITERATIONS = 4

# Closer than this share of the picture's longer side every patch is like its neighbour.
_NEAREST = 1 / 15

# Of the offsets sought, as many are for what those that repeat most often have left without a copy.
_FOR_THE_REST = 1 / 4


def patch_offsets(picture: Array, sources: Mask, generator: np.random.Generator) -> Offsets:
    """From each patch (7x7) of ``picture`` (H, W, C) that lies within ``sources`` (H, W) to the one most like it.

    Approximately, by PatchMatch: good offsets spread to neighbours and are varied at random. (0, 2) where there is no
    whole patch.
    """
    height, width = sources.shape
    centres = window_sum(~sources[:, :, None], _RADIUS)[:, :, 0] == 0
    inside = np.zeros_like(centres)
    inside[_RADIUS : height - _RADIUS, _RADIUS : width - _RADIUS] = True
    rows, columns = np.nonzero(centres & inside)
    count = len(rows)
    if not count:
        return np.zeros((0, 2), np.int64)
    number = np.full((height, width), -1)
    number[rows, columns] = np.arange(count)
    side = 2 * _RADIUS + 1
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), (0, 1))
    patches = windows[rows - _RADIUS, columns - _RADIUS].reshape(count, -1)[:, ::2].copy()
    nearest = _NEAREST * max(height, width)
    best = np.arange(count)
    distances = np.full(count, np.inf, np.float32)

    def offer(down: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Take for each patch the one at that offset, if it is there, far enough away, and more like it."""
        to_row, to_column = rows + down, columns + right
        there = (to_row >= 0) & (to_row < height) & (to_column >= 0) & (to_column < width)
        there &= down**2 + right**2 >= nearest**2
        offered = np.nonzero(there)[0]
        candidates = number[to_row[offered], to_column[offered]]
        offered, candidates = offered[candidates >= 0], candidates[candidates >= 0]
        difference = patches[offered] - patches[candidates]
        distance = np.einsum("ij,ij->i", difference, difference)
        better = distance < distances[offered]
        best[offered[better]] = candidates[better]
        distances[offered[better]] = distance[better]

    drawn = generator.integers(0, count, count)
    offer(rows[drawn] - rows, columns[drawn] - columns)
    for iteration in range(_ITERATIONS):
        for step in (4, 2, 1) if iteration == 0 else (1,):
            for down, right in ((-step, 0), (step, 0), (0, -step), (0, step)):
                neighbour = number[(rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)]
                neighbour = np.where(neighbour >= 0, neighbour, np.arange(count))
                offer(rows[best[neighbour]] - rows[neighbour], columns[best[neighbour]] - columns[neighbour])
        reach = max(height, width)
        while reach >= 1:
            down, right = generator.integers(-reach, reach + 1, (2, count))
            offer(rows[best] - rows + down, columns[best] - columns + right)
            reach //= 2
    found = np.isfinite(distances)
    return np.stack([rows[best] - rows, columns[best] - columns], 1)[found]


def dominant_offsets(found: Offsets, hole: Mask, sources: Mask, count: int) -> Offsets:
    """The at most ``count`` offsets at which the picture repeats itself most, that lead from ``hole`` to ``sources``.

    An offset counts by the root of how often it was ``found``, and by how much of the hole it leads out of it. The last
    of them are those that reach most of what the others do not.
    """
    height, width = hole.shape
    often = np.zeros((2 * height + 1, 2 * width + 1, 1), np.float32)
    for sign in (1, -1):
        np.add.at(often, (sign * found[:, 0] + height, sign * found[:, 1] + width, 0), 1)
    often = window_mean(window_mean(often, 1), 1)[:, :, 0]
    score = np.sqrt(often + 0.01) * _reach(hole, sources)
    left = hole.copy()
    chosen: list[tuple[int, int]] = []
    for_the_rest = round(count * _FOR_THE_REST)
    while len(chosen) < count:
        if len(chosen) >= count - for_the_rest and left.any():
            score = (often + 0.01) ** np.float32(0.1) * _reach(left, sources)
        place = int(score.argmax())
        if score.flat[place] <= 0:
            break
        row, column = divmod(place, score.shape[1])
        chosen.append((row - height, column - width))
        left &= ~moved(sources, *chosen[-1])
        score[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 0
    return np.array(chosen, np.int64).reshape(-1, 2)


def moved(array: NDArray[Sample], down: int, right: int) -> NDArray[Sample]:
    """What lies at an offset from each place of ``array`` (H, W, ...); 0 where that is outside."""
    height, width = array.shape[:2]
    result = np.zeros_like(array)
    top, bottom = max(0, -down), min(height, height - down)
    left, right_end = max(0, -right), min(width, width - right)
    if top < bottom and left < right_end:
        result[top:bottom, left:right_end] = array[top + down : bottom + down, left + right : right_end + right]
    return result


def _reach(hole: Mask, sources: Mask) -> NDArray[np.float64]:
    """(2 H + 1, 2 W + 1): how many pixels of ``hole`` each offset from (-H, -W) to (H, W) takes to ``sources``."""
    height, width = hole.shape
    size = 3 * height, 3 * width
    spectrum = np.conj(np.fft.rfft2(hole, size)) * np.fft.rfft2(sources, size)
    correlation = np.roll(np.fft.irfft2(spectrum, size), (height, width), (0, 1))
    return np.rint(correlation[: 2 * height + 1, : 2 * width + 1])
