"""From a mask to an alpha matte: how much of each pixel at a thing's rim is of it, by the picture's own edges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.guided_filter import LinearFits, guided_filter
from edgevision.imaging.hole_filling import fill_smoothly
from edgevision.imaging.resampling import enlarged_rows, resized
from edgevision.imaging.samples import Array, Samples, store
from edgevision.imaging.tiling import row_strips

# Windows are as wide as the mask may be wrong: this share of the picture's longer side at the greatest strength.
_WIDEST_WINDOW = 0.03
# A standard deviation of 0.01 is the noise of cameras and the grain of JPEG files: no edge.
_FLAT = 1e-4
# In a window that lies half on a thing all is half of it; what is clearly on one side is to be there wholly.
_STEEPNESS = 1.5
# Colours of the thing and of what is behind it that differ by this much, of 1, count half in saying what a pixel is.
_TOLD_APART = 0.2
# From here on a pixel is taken to be wholly of the thing, or behind it, when the colours of both are looked for.
_SURE = 0.95
# At the last, near 0 and 1, a veil over the background and holes in the thing, which eyes see on another background.
_VEIL = 0.04
# Of the size at which edges are looked for, in pixels.
_MOST_PIXELS = 1 << 19


def refine_mask(mask: NDArray[Any], picture: Samples, *, strength: float = 0.5) -> Samples:
    """The alpha matte of what ``mask`` marks, with its rim where the edges of the picture are.

    A guided filter over windows as wide as the mask may be wrong is followed by a look at the colours that are
    continued from both sides of the rim, and by a guided filter over half as wide windows, which is applied to the
    picture at its full size.

    Args:
        mask: bool, or float32 in 0..1, (h, w) of any size over the whole of the picture.
        picture: (H, W, 1 or 3) of uint8, uint16 or float32 in 0..1.
        strength: how far from the mask's own rim hair is looked for; 0 leaves the mask as it is, 1 goes the furthest.

    Returns:
        (H, W) of the picture's dtype.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, (_MOST_PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    matte = resized(mask.astype(np.float32), size)
    radius = strength * _WIDEST_WINDOW * max(size)
    fits = None
    if radius >= 1:
        small = resized(picture, size)
        matte = _steeper(guided_filter(matte, small, radius=round(radius), epsilon=_FLAT), _STEEPNESS)
        matte = _by_colour(matte, small)
        fits = LinearFits.of(matte, small, radius=max(1, round(radius / 2)), epsilon=_FLAT)
    alpha = np.empty((height, width), picture.dtype)
    for rows in row_strips(height, width):
        if fits is None:
            strip = enlarged_rows(matte, (height, width), rows)
        else:
            strip = _steeper(fits.applied(picture, rows), _STEEPNESS)
            strip = (strip - _VEIL) / (1 - 2 * _VEIL)
        store(strip, alpha[rows])
    return alpha


def _steeper(matte: Array, factor: float) -> Array:
    """Further from the middle between 0 and 1, and nowhere beyond them."""
    matte = (matte - np.float32(0.5)) * np.float32(factor) + np.float32(0.5)
    return np.clip(matte, 0, 1)


def _by_colour(matte: Array, picture: Array) -> Array:
    """Between inside and outside, what each pixel's colour says of it, as far as the colours of both are apart."""
    inside, outside = matte >= _SURE, matte <= 1 - _SURE
    thing, behind = (fill_smoothly(picture, sure.astype(np.float32)[:, :, None]) for sure in (inside, outside))
    apart = thing - behind
    squared = (apart * apart).sum(axis=2)
    share = np.clip(((picture - behind) * apart).sum(axis=2) / np.maximum(squared, 1e-6), 0, 1)
    trust = squared / (squared + np.float32(_TOLD_APART**2))
    return np.where(inside | outside, matte, matte + trust * (share - matte))
