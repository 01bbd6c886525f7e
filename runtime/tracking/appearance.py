"""How things look, as numbers by which they are known again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.streams.frame import Pixels

Looks = NDArray[np.float32]
"""(N, D), each row of length 1: of two things the product says how alike they look, 1 for the same."""

Describe = Callable[[Pixels, NDArray[np.float32]], Looks]
"""From a frame and boxes in it, float32 (N, 4) x1, y1, x2, y2, to how those look."""

_LEVELS = 8
"""Into so many steps each colour is divided."""

_MARGIN = 0.1
"""What is left away at each side of a box, as a share of it: there is background."""


def color_histograms(pixels: Pixels, boxes: NDArray[np.float32]) -> Looks:
    """The shares of 8x8x8 colours in the middle of each box, as square roots.

    The product of two rows is their Bhattacharyya coefficient.
    """
    looks = np.zeros((len(boxes), _LEVELS**3), np.float32)
    for row, crop in enumerate(_crops(pixels, boxes)):
        steps = (crop.reshape(-1, 3) // (256 // _LEVELS)).astype(np.int64)
        counts = np.bincount(steps @ (_LEVELS**2, _LEVELS, 1), minlength=_LEVELS**3)
        looks[row] = np.sqrt(counts / counts.sum())
    return looks


def embeddings_of(pipeline: Any) -> Describe:
    """What a model says of each box cut out: a pipeline whose results are numbers, as of the task ``other``."""

    def describe(pixels: Pixels, boxes: NDArray[np.float32]) -> Looks:
        crops = list(_crops(pixels, boxes))
        if not crops:
            return np.zeros((0, 1), np.float32)
        rows = np.stack([np.asarray(result, np.float32).ravel() for result in pipeline(crops)])
        looks: Looks = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return looks

    return describe


def _crops(pixels: Pixels, boxes: NDArray[np.float32]) -> list[Pixels]:
    """The middle of each box, of one pixel at least."""
    height, width = pixels.shape[:2]
    sides = boxes[:, 2:] - boxes[:, :2]
    low = np.clip((boxes[:, :2] + _MARGIN * sides).astype(int), 0, (width - 1, height - 1))
    high = np.clip((boxes[:, 2:] - _MARGIN * sides).astype(int), low + 1, (width, height))
    return [pixels[y1:y2, x1:x2] for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True)]
