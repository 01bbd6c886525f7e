"""Putting a cut-out into another picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.imaging.colour_profiles import in_profile
from edgevision.imaging.light_matching import light_difference
from edgevision.imaging.pictures import Picture
from edgevision.imaging.resampling import enlarged_rows, resized
from edgevision.imaging.samples import Array, Samples, as_float, luma_of, store, white
from edgevision.imaging.tiling import row_strips
from edgevision.imaging.transparency import continue_colours

# What is less opaque is not seen, and does not count for the thing's size.
_FAINT = 0.02
# What is kept around the thing, of its sides: there its old background is compared with the new one.
_MARGIN = 0.06
# Of the size at which light is compared, in pixels.
_MOST_PIXELS = 1 << 17
# How many times the pixels of the picture a thing may have that is put into it.
_LARGEST = 4


@dataclass(frozen=True, eq=False)
class PastedThing:
    """A thing to be put into pictures.

    Attributes:
        cutout: the thing with some of what is around it, transparent there.
        surroundings: the picture that it was cut out of, (H, W, C) at the same pixels; ``None`` where nobody has it.
        box: left, top, right and bottom of the thing in the cut-out.
    """

    cutout: Picture
    surroundings: Samples | None
    box: tuple[int, int, int, int]

    @classmethod
    def of(cls, cutout: Picture, original: Picture | None = None) -> "PastedThing":
        """What is seen of a cut-out, which ``original`` is the whole picture of.

        Raises:
            ImageError: nothing is seen of it.
        """
        assert cutout.alpha is not None
        seen = cutout.alpha > _FAINT * white(cutout.alpha.dtype)
        rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            raise ImageError("nothing is seen of the cut-out: it is transparent everywhere")
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        margin = round(_MARGIN * max(bottom - top, right - left)) + 2
        y, x = max(top - margin, 0), max(left - margin, 0)
        window = np.s_[y : bottom + margin, x : right + margin]
        part = cutout.with_pixels(cutout.pixels[window], cutout.alpha[window])
        own = None if original is None else original.pixels[window]
        return cls(part, own, (left - x, top - y, right - x, bottom - y))

    def in_profile(self, profile: bytes | None) -> "PastedThing":
        """The same with its colours in the colour profile of a picture."""
        cutout, surroundings = in_profile(self.cutout, profile), self.surroundings
        if surroundings is not None and cutout is not self.cutout:
            surroundings = in_profile(Picture(surroundings, icc_profile=self.cutout.icc_profile), profile).pixels
        return PastedThing(cutout, surroundings, self.box)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the thing."""
        left, top, right, bottom = self.box
        return bottom - top, right - left


def paste(
    picture: Picture, thing: PastedThing, *, center: tuple[float, float], scale: float = 1, matched: float = 1
) -> Picture:
    """``picture`` with the thing in it; what the thing does not cover stays as it is.

    Args:
        picture: what it is put into.
        thing: what is put into it; in gray where the picture is gray.
        center: where the middle of the thing comes, (x, y) in pixels of the picture.
        scale: how many times its own size it becomes.
        matched: how much of the difference in light at the seam it takes on, 0..1; with 0 it is blended by its alpha
            alone.

    Raises:
        ImageError: nothing of it would be inside the picture, or it would be many times as large.
    """
    thing = thing.in_profile(picture.icc_profile)
    height, width = thing.cutout.height, thing.cutout.width
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if size[0] * size[1] > _LARGEST * picture.height * picture.width:
        raise ImageError(
            f"the cut-out would be {size[1]}x{size[0]} and the picture is {picture.width}x{picture.height}; choose a"
            " smaller scale"
        )
    left, top, right, bottom = thing.box
    x = round(center[0] - (left + right) / 2 * size[1] / width)
    y = round(center[1] - (top + bottom) / 2 * size[0] / height)
    rows = slice(max(y, 0), min(y + size[0], picture.height))
    columns = slice(max(x, 0), min(x + size[1], picture.width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise ImageError(
            f"at {center[0]:g},{center[1]:g} nothing of the cut-out is inside the picture of"
            f" {picture.width}x{picture.height}"
        )
    inside = np.s_[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    channels = picture.pixels.shape[2]
    colours, alpha = _scaled(thing.cutout, size, channels)
    colours, alpha = colours[inside], alpha[inside]
    place = np.s_[rows, columns]
    result = picture.pixels.copy()
    light = None
    if matched > 0:
        own = None if thing.surroundings is None else _in_channels(thing.surroundings, channels)
        old = None if own is None else resized(own, size)[inside]
        light = np.float32(matched) * _light(colours, old, result[place], alpha)
    _lay(result[place], colours, alpha, light)
    if picture.alpha is None:
        return picture.with_pixels(result, None)
    opacity = picture.alpha.copy()
    covered = as_float(opacity[place])
    store(alpha + covered * (1 - alpha), opacity[place])
    return picture.with_pixels(result, opacity)


def _lay(target: Samples, colours: Array, alpha: Array, light: Array | None) -> None:
    """Lay the colours over ``target`` in place, a few rows at a time."""
    size = target.shape[0], target.shape[1]
    for rows in row_strips(*size):
        for channel in range(target.shape[2]):
            own = colours[rows, :, channel]
            if light is not None:
                own = np.clip(own + enlarged_rows(light[channel], size, rows), 0, 1)
            before = as_float(target[rows, :, channel])
            mixed = before + alpha[rows] * (own - before)
            stored = np.empty(mixed.shape, target.dtype)
            store(mixed, stored)
            np.copyto(target[rows, :, channel], stored, where=alpha[rows] > 0)


def _light(colours: Array, old: Array | None, new: Samples, alpha: Array) -> Array:
    """(C, h, w) of :func:`light_difference`, at a size that takes little time."""
    height, width = alpha.shape
    scale = min(1.0, (_MOST_PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = None if old is None else resized(old, size)
    difference = light_difference(resized(colours, size), small, resized(new, size), resized(alpha, size))
    return np.ascontiguousarray(np.moveaxis(difference, 2, 0))


def _scaled(cutout: Picture, size: tuple[int, int], channels: int) -> tuple[Array, Array]:
    """Colours (h, w, C) and alpha (h, w) in 0..1; colours are weighted by their alpha while they are mixed."""
    assert cutout.alpha is not None
    pixels = as_float(_in_channels(cutout.pixels, channels))
    opacity = as_float(cutout.alpha)
    if opacity.shape == size:
        return continue_colours(pixels, opacity), opacity
    alpha = np.clip(_resampled(opacity, size), 0, 1)
    weighted = [_resampled(pixels[:, :, channel] * opacity, size) for channel in range(channels)]
    colours = np.stack(weighted, axis=2) / np.maximum(alpha, 1 / 512)[:, :, None]
    return continue_colours(np.clip(colours, 0, 1), alpha), alpha


def _resampled(values: Array, size: tuple[int, int]) -> Array:
    return np.asarray(Image.fromarray(np.ascontiguousarray(values)).resize(size[::-1], Image.Resampling.BICUBIC))


def _in_channels(pixels: Samples, channels: int) -> Samples:
    if pixels.shape[2] == channels:
        return pixels
    return luma_of(pixels)[:, :, None] if channels == 1 else np.repeat(pixels, 3, axis=2)
