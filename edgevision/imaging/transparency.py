"""Colours under transparency: where nothing of a picture is seen, the nearest that is seen goes on.

What a file holds there is anything, black mostly, and filters and networks would draw it into the edge of what is seen.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.hole_filling import Array, enlarged_part, halve_known
from edgevision.imaging.samples import as_float, white
from edgevision.imaging.tiling import row_strips

# From this share of opacity on a colour stays as it is; below, the fainter it is, the more of its surroundings it gets.
# Editors that keep colours multiplied by alpha have left little of it there, and nobody sees a difference.
_FAINT = 1 / 16


def continue_colours(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """``pixels`` with the colours that are seen continued smoothly under what is not, by pull and push.

    Args:
        pixels: uint8, uint16 or float32 in 0..1 (H, W, C).
        alpha: opacity (H, W) of the same dtype.

    Returns:
        The same shape and dtype; ``pixels`` itself where all is seen or nothing is.
    """
    if not alpha.any() or alpha.min() >= white(alpha.dtype) * _FAINT:
        return pixels
    result = pixels.copy()
    _continue(result, alpha, _FAINT)
    return result


def range_around(alpha: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the greatest of the 3x3 values around each of ``alpha`` (H, W)."""
    height, width = alpha.shape
    padded = np.pad(alpha, 1, mode="edge")
    lowest, highest = alpha.copy(), alpha.copy()
    for down in range(3):
        for right in range(3):
            beside = padded[down : down + height, right : right + width]
            np.minimum(lowest, beside, out=lowest)
            np.maximum(highest, beside, out=highest)
    return lowest, highest


def _continue(pixels: NDArray[Any], opacity: NDArray[Any], plain: float) -> None:
    """Continue the colours in place; those of at least the opacity ``plain``, of 1, stay."""
    height, width = opacity.shape[:2]
    if (height, width) == (1, 1):
        return
    coarse, known = _halved(pixels, opacity)
    if known.min() < 1:
        _continue(coarse, known, 1)
    for rows in row_strips(height, width):
        own = _share(opacity[rows]) / np.float32(plain)
        if own.min() >= 1:
            continue
        around = enlarged_part(coarse, rows, slice(0, width))
        around += np.minimum(own, 1) * (pixels[rows] - around)
        if pixels.dtype != np.float32:
            np.rint(around, out=around)
        np.copyto(pixels[rows], around, where=own < 1, casting="unsafe")


def _halved(pixels: NDArray[Any], opacity: NDArray[Any]) -> tuple[Array, Array]:
    """Half the sides of the picture, its colours weighted by their opacity, and of the opacity, up to 1."""
    height, width, channels = pixels.shape
    half = np.empty(((height + 1) // 2, (width + 1) // 2, channels), np.float32)
    known = np.empty((*half.shape[:2], 1), np.float32)
    for strip in row_strips(height, width):
        half_strip = slice(strip.start // 2, (strip.stop + 1) // 2)
        half[half_strip], known[half_strip] = halve_known(pixels[strip].astype(np.float32), _share(opacity[strip]))
    return half, known


def _share(opacity: NDArray[Any]) -> Array:
    """float32 (H, W, 1) in 0..1 of opacity (H, W) in the samples of a picture, or of what it is already."""
    return as_float(opacity.reshape(*opacity.shape[:2], 1))
