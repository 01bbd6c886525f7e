"""Colours under transparency: where nothing of a picture is seen, the nearest that is seen goes on.

What a file holds there is anything, black mostly, and filters and networks would draw it into the edge of what is seen.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.hole_filling import Array, double, enlarged_part, halve_known

# From this share of opacity on a colour stays as it is; below, the fainter it is, the more of its surroundings it gets.
# Editors that keep colours multiplied by alpha have left little of it there, and nobody sees a difference.
_FAINT = 1 / 16

# Rows that are worked on at a time, so that a large picture is never held in float32.
_STRIP = 256


def continue_colours(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """``pixels`` with the colours that are seen continued smoothly under what is not, by pull and push.

    Args:
        pixels: uint8 or uint16 (H, W, C).
        alpha: opacity (H, W) of the same dtype.

    Returns:
        The same shape and dtype; ``pixels`` itself where all is seen or nothing is.
    """
    faint = np.iinfo(alpha.dtype).max * _FAINT
    if alpha.min() >= faint or not alpha.any():
        return pixels
    coarse = _continued(*_halved(pixels, alpha))
    result = pixels.copy()
    height, width = alpha.shape
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        if alpha[rows].min() >= faint:
            continue
        own = np.minimum(alpha[rows, :, None] / np.float32(faint), np.float32(1))
        around = enlarged_part(coarse, rows, slice(0, width))
        around += own * (pixels[rows] - around)
        result[rows] = np.where(own < 1, np.rint(around).astype(pixels.dtype), pixels[rows])
    return result


def _halved(pixels: NDArray[Any], alpha: NDArray[Any]) -> tuple[Array, Array]:
    """Half the sides of the picture, its colours weighted by their opacity, and of the opacity."""
    height, width, channels = pixels.shape
    half = np.empty(((height + 1) // 2, (width + 1) // 2, channels), np.float32)
    known = np.empty((*half.shape[:2], 1), np.float32)
    for top in range(0, height, _STRIP):
        strip, half_strip = np.s_[top : top + _STRIP], np.s_[top // 2 : (top + _STRIP) // 2]
        opacity = alpha[strip, :, None].astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)
        half[half_strip], known[half_strip] = halve_known(pixels[strip].astype(np.float32), opacity)
    return half, known


def _continued(image: Array, known: Array) -> Array:
    if known.min() == 1 or image.shape[:2] == (1, 1):
        return image
    around = double(_continued(*halve_known(image, known)), *image.shape[:2])
    around += known * (image - around)
    return around
