"""Copies without seams: their gradients are kept, not their colours (Pérez et al. 2003; Darabi et al. 2012).

What is solved for is the correction of the copied colours: 0 where the picture is known, without a step but at seams,
where it takes away what the colours step by, and drawn weakly towards the smooth fill.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.restoration.texture.labelling import NEIGHBOURS, Labels
from edgevision.runtime.tasks.restoration.texture.level import Level
from edgevision.runtime.tasks.restoration.texture.patch_offsets import Offsets
from edgevision.runtime.tasks.restoration.texture.windows import Array, Mask

# Conjugate gradient steps at each size; the coarser one has done the rest.
_STEPS = 24
_SMALLEST = 64


def correction(level: Level, labels: Labels, offsets: Offsets, copied: Array, pull: float) -> Array:
    """What is to be added to the hole of ``copied`` (H, W, C), the picture with the copies in it: (N, C), row by row.

    ``pull`` is the weight of the smooth fill: beyond some 1 / sqrt(pull) pixels it is what decides the colours.
    """
    rows, columns = np.nonzero(level.hole)
    height, width = level.hole.shape
    # Nothing outside the hole is solved for.
    top, bottom, left, end = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    part = np.s_[top:bottom, left:end]
    right_side = np.float32(pull) * (level.picture[part] - copied[part])
    for down, right in NEIGHBOURS:
        to_rows, to_columns = rows + down, columns + right
        inside = (to_rows >= 0) & (to_rows < height) & (to_columns >= 0) & (to_columns < width)
        here, there = (rows[inside], columns[inside]), (to_rows[inside], to_columns[inside])
        torn = level.hole[there]
        seam = ~torn | (labels[here] != labels[there])
        here, there = (here[0][seam], here[1][seam]), (there[0][seam], there[1][seam])
        wanted, weight = _step(level, offsets[labels[here]].T, here, there)
        other = _step(level, offsets[labels[there]].T, here, there)
        torn = torn[seam][:, None]
        wanted, weight = wanted + torn * other[0], weight + torn * other[1]
        step = wanted / np.maximum(weight, 1)
        right_side[here[0] - top, here[1] - left] += (copied[there] - copied[here]) - step
    hole = level.hole[part]
    right_side[~hole] = 0
    # Nothing beyond the border of the picture is known, so that it draws nothing towards 0.
    return _solve(right_side, hole, pull, (top == 0, bottom == height, left == 0, end == width))[hole]


def _step(level: Level, offset: Any, here: Any, there: Any) -> tuple[Array, Array]:
    """By how much the colours change from ``here`` to ``there`` at that offset, times the weight, 1 or 0 (N, 1)."""
    down, right = offset
    start, end = (here[0] + down, here[1] + right), (there[0] + down, there[1] + right)
    weight = (level.may_copy(*start) & level.may_copy(*end)).astype(np.float32)[:, None]
    return weight * (level.colours(*end) - level.colours(*start)), weight


def _solve(right_side: Array, hole: Mask, pull: float, free: tuple[bool, bool, bool, bool]) -> Array:
    """x (H, W, C), 0 outside the hole, whose negative Laplacian plus ``pull`` times x is ``right_side`` within it.

    ``free`` says at which borders, top, bottom, left and right, x is not 0 beyond but goes on as it is.
    """
    height, width = hole.shape
    inner = hole[:, :, None].astype(np.float32)
    if min(height, width) > 2 and hole.sum() > _SMALLEST:
        # The flow into a coarse pixel is the sum of those into its four, and so is the pull.
        coarse = _solve(_sum_of_four(right_side), _sum_of_four(inner)[:, :, 0] > 0, 4 * pull, free)
        x = np.repeat(np.repeat(coarse, 2, 0), 2, 1)[:height, :width] * inner
        steps = _STEPS
    else:
        x, steps = np.zeros_like(right_side), 4 * _STEPS
    degree = np.full((height, width, 1), 4 + pull, np.float32)
    for border, is_free in zip((degree[0], degree[-1], degree[:, 0], degree[:, -1]), free, strict=True):
        border -= np.float32(is_free)

    def apply(array: Array) -> Array:
        result = degree * array
        result[1:] -= array[:-1]
        result[:-1] -= array[1:]
        result[:, 1:] -= array[:, :-1]
        result[:, :-1] -= array[:, 1:]
        result *= inner
        return result

    residual = right_side - apply(x)
    direction = residual.copy()
    energy = _inner_product(residual, residual)
    for _ in range(steps):
        moved = apply(direction)
        along = _inner_product(direction, moved)
        size = energy / np.where(along > 0, along, 1)
        x += size * direction
        residual -= size * moved
        before, energy = energy, _inner_product(residual, residual)
        direction *= energy / np.where(before > 0, before, 1)
        direction += residual
    return x


def _inner_product(one: Array, other: Array) -> NDArray[np.float32]:
    """Of each channel."""
    product: NDArray[np.float32] = np.einsum("hwc,hwc->c", one, other)
    return product


def _sum_of_four(array: Array) -> Array:
    height, width = array.shape[:2]
    array = np.pad(array, [(0, height % 2), (0, width % 2), (0, 0)])
    total: Array = array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]
    return total
