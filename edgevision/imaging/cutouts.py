"""Cut-outs: a thing of a picture without what is behind it, and the same thing on something else."""

from collections.abc import Callable

import numpy as np

from edgevision.imaging.colour_profiles import in_profile
from edgevision.imaging.foreground_colours import estimate_foreground
from edgevision.imaging.guided_filter import box_mean
from edgevision.imaging.matting import refine_mask
from edgevision.imaging.pictures import Picture
from edgevision.imaging.resampling import enlarged_rows, resized
from edgevision.imaging.samples import Array, Samples, as_float, store
from edgevision.imaging.tiling import row_strips

# Of the longer side: how far a blurred background is blurred, as the standard deviation of a Gaussian.
_BLUR = 0.02
# In pixels of the size at which it is blurred; three means of such windows are nearly a Gaussian.
_BLUR_RADIUS = 6


def cut_out(picture: Picture, mask: Samples, *, strength: float = 0.5) -> Picture:
    """What ``mask`` marks of ``picture``, with an alpha matte for its rim and none of the background's colours in it.

    What is transparent in the picture stays so. ``mask`` and ``strength`` are those of
    :func:`~edgevision.imaging.matting.refine_mask`.
    """
    alpha = refine_mask(mask, picture.pixels, strength=strength)
    pixels = estimate_foreground(picture.pixels, alpha)
    if picture.alpha is not None:
        for rows in row_strips(picture.height, picture.width):
            store(as_float(alpha[rows]) * as_float(picture.alpha[rows]), alpha[rows])
    return picture.with_pixels(pixels, alpha)


def on_colour(cutout: Picture, colour: tuple[int, int, int]) -> Picture:
    """The cut-out on one colour, RGB of 0 to 255; a gray one on a gray of the same luma where the colour is gray."""
    if cutout.pixels.shape[2] == 1 and len(set(colour)) > 1:
        cutout = cutout.with_pixels(np.repeat(cutout.pixels, 3, axis=2), cutout.alpha)
    values = np.array(colour[: cutout.pixels.shape[2]], np.float32) / 255
    return _laid_on(cutout, lambda rows, channel: values[channel])


def on_picture(cutout: Picture, background: Picture) -> Picture:
    """The cut-out on a picture, of which the middle is taken in the proportions of the cut-out."""
    background = in_profile(background, cutout.icc_profile)
    height, width = cutout.height, cutout.width
    scale = min(background.height / height, background.width / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (background.height - inner[0]) // 2, (background.width - inner[1]) // 2
    behind = background.pixels[top : top + inner[0], left : left + inner[1]]
    if behind.shape[2] == 3 and cutout.pixels.shape[2] == 1:
        cutout = cutout.with_pixels(np.repeat(cutout.pixels, 3, axis=2), cutout.alpha)
    scaled = [resized(behind[:, :, channel], (height, width)) for channel in range(behind.shape[2])]
    return _laid_on(cutout, lambda rows, channel: scaled[min(channel, len(scaled) - 1)][rows])


def on_blur(cutout: Picture, original: Picture) -> Picture:
    """The cut-out on its own background out of focus, into which nothing of the thing itself is blurred."""
    assert cutout.alpha is not None
    height, width = original.height, original.width
    scale = min(1.0, _BLUR_RADIUS / (_BLUR * max(height, width)))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    share = 1 - resized(cutout.alpha, size)[:, :, None]
    # The rim of the thing holds some of it.
    share = np.where(share > 0.98, share, np.float32(1e-6))
    blurred = _blurred(resized(original.pixels, size) * share) / _blurred(share)
    behind = np.ascontiguousarray(np.moveaxis(blurred, 2, 0))
    return _laid_on(cutout, lambda rows, channel: enlarged_rows(behind[channel], (height, width), rows))


def _blurred(values: Array) -> Array:
    for _ in range(3):
        values = box_mean(values, _BLUR_RADIUS).astype(np.float32)
    return values


def _laid_on(cutout: Picture, behind: Callable[[slice, int], Array | np.float32]) -> Picture:
    """The opaque picture of the cut-out before the colours, in 0..1, that ``behind`` gives for rows and a channel."""
    assert cutout.alpha is not None
    result = np.empty_like(cutout.pixels)
    for rows in row_strips(cutout.height, cutout.width):
        share = as_float(cutout.alpha[rows])
        for channel in range(result.shape[2]):
            colours = behind(rows, channel)
            mixed = colours + share * (as_float(cutout.pixels[rows, :, channel]) - colours)
            stored = np.empty(mixed.shape, result.dtype)
            store(mixed, stored)
            result[rows, :, channel] = stored
    return cutout.with_pixels(result, None)
