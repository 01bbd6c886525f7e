"""The colours of a thing at its rim, where a picture shows a mixture of them and of what is behind.

Left as they are they are a halo of the old background on every new one. The mixture is taken apart as in "Approximate
Fast Foreground Colour Estimation" (Forte 2021), with colours that are continued by pull and push from what is wholly
of the thing, or wholly behind it, in the place of blurred ones, which hold some of each other.
"""

import numpy as np

from edgevision.imaging.hole_filling import fill_smoothly
from edgevision.imaging.resampling import enlarged_rows, resized
from edgevision.imaging.samples import Array, Samples, as_float, store, white
from edgevision.imaging.tiling import row_strips

# From this share of a pixel on it counts as wholly of the thing, or of what is behind it.
_WHOLLY = 0.98
# Of the size at which colours are continued, in pixels.
_MOST_PIXELS = 1 << 18


def estimate_foreground(pixels: Samples, alpha: Samples) -> Samples:
    """``pixels`` with the colours of the thing alone.

    What is opaque stays as it is. With the ``alpha`` of a pixel a, its colour I, and f and b those of the thing and of
    its background continued to there, the thing's is f + a (I - a f - (1 - a) b). Where nothing is seen it is f: so
    nothing of the background is left that could come up again when the picture is scaled or filtered.

    Args:
        pixels: uint8, uint16 or float32 in 0..1, (H, W, C).
        alpha: how much of each pixel is of the thing, (H, W) of the same dtype.

    Returns:
        The same shape and dtype.
    """
    height, width, channels = pixels.shape
    opaque = alpha == white(alpha.dtype)
    if opaque.all() or not opaque.any():
        return pixels
    scale = min(1.0, (_MOST_PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small, share = resized(pixels, size), resized(alpha, size)[:, :, None]
    thing, behind = _continued(small, share >= _WHOLLY), _continued(small, share <= 1 - _WHOLLY)
    result = pixels.copy()
    for rows in row_strips(height, width):
        mixed = ~opaque[rows]
        if not mixed.any():
            continue
        part = as_float(alpha[rows])
        for channel in range(channels):
            colours = enlarged_rows(thing[channel], (height, width), rows)
            background = enlarged_rows(behind[channel], (height, width), rows)
            left = as_float(pixels[rows, :, channel]) - part * colours - (1 - part) * background
            colours += part * left
            stored = np.empty(colours.shape, pixels.dtype)
            store(colours, stored)
            np.copyto(result[rows, :, channel], stored, where=mixed)
    return result


def _continued(colours: Array, known: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Array:
    """(C, h, w): the ``known`` of the colours (h, w, C) where they are, and continued everywhere else."""
    return np.ascontiguousarray(np.moveaxis(fill_smoothly(colours, known.astype(np.float32)), 2, 0))
