"""Random views of a picture and of the maps that belong to its pixels: moved alike, and only the picture recoloured."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.training.settings import SegmentationSettings

Pixels = NDArray[np.uint8]
Generator = np.random.Generator
_Matrix = tuple[float, float, float, float, float, float]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

GRAY = 114
"""What lies where no picture does."""
IGNORED = 255
"""In the first map: nobody knows, or nothing is there."""


class MappedPicture(NamedTuple):
    """A picture, and what its pixels are.

    Attributes:
        pixels: uint8 (H, W, 3) RGB.
        maps: uint8 (H, W, C); the first is the class, or 1 for the foreground and 0 for the background, or
            :data:`IGNORED`.
    """

    pixels: Pixels
    maps: Pixels


def draw_view(
    picture: MappedPicture, other: MappedPicture, settings: SegmentationSettings, generator: Generator
) -> MappedPicture:
    """A view of a picture; with ``settings.paste`` perhaps with the foreground of an ``other`` in it."""
    view = random_view(picture, settings, generator)
    if generator.random() < settings.paste:
        view = pasted(view, random_view(other, settings, generator))
    return view


def random_view(picture: MappedPicture, settings: SegmentationSettings, generator: Generator) -> MappedPicture:
    """``settings.view_size`` of the picture, drawn anew each time.

    Pixels are interpolated, maps sampled at the nearest pixel. Outside of the picture is gray, and ``IGNORED``.
    """
    size = settings.view_size
    matrix = _random_matrix(picture.pixels.shape, size, settings, generator)
    pixels = _warped(picture.pixels, matrix, size, Image.Resampling.BILINEAR, (GRAY,) * 3)
    maps = [
        _warped(picture.maps[:, :, index], matrix, size, Image.Resampling.NEAREST, 0 if index else IGNORED)
        for index in range(picture.maps.shape[2])
    ]
    return MappedPicture(recoloured(pixels, settings.colour, generator), np.stack(maps, axis=2))


def pasted(view: MappedPicture, other: MappedPicture) -> MappedPicture:
    """``view`` with all that is no background of ``other`` in its place there (Ghiasi et al. 2021)."""
    front = (other.maps[:, :, :1] > 0) & (other.maps[:, :, :1] != IGNORED)
    return MappedPicture(np.where(front, other.pixels, view.pixels), np.where(front, other.maps, view.maps))


def _random_matrix(
    shape: tuple[int, ...], size: tuple[int, int], settings: SegmentationSettings, generator: Generator
) -> _Matrix:
    """From the view's x and y to the picture's: (a, b, c, d, e, f) with x' = ax + by + c and y' = dx + ey + f."""
    scale = math.exp(generator.uniform(*np.log(settings.zoom)))
    if settings.image_size is not None:
        # Pictures are brought to that size whatever theirs is: the scale is relative to it.
        scale *= min(size[0] / shape[0], size[1] / shape[1])
    angle = math.radians(generator.uniform(-settings.rotate, settings.rotate))
    if settings.turn:
        angle += int(generator.integers(4)) * math.pi / 2
    stretch = math.exp(generator.uniform(-0.1, 0.1))
    mirror = -1.0 if settings.flip and generator.random() < 0.5 else 1.0
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    a, b, d, e = cos * mirror * stretch, -sin / stretch, sin * mirror * stretch, cos / stretch
    # The view lies inside of the picture where it is smaller, and the picture inside of the view where that is.
    centre = []
    for side, seen in zip(shape[1::-1], size[::-1], strict=True):
        reach = abs(side - seen / scale) / 2
        centre.append(side / 2 + generator.uniform(-reach, reach))
    x, y = size[1] / 2, size[0] / 2
    return a, b, centre[0] - a * x - b * y, d, e, centre[1] - d * x - e * y


def _warped(
    pixels: Pixels, matrix: _Matrix, size: tuple[int, int], resampling: Image.Resampling, fill: int | tuple[int, ...]
) -> Pixels:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.transform(size[::-1], Image.Transform.AFFINE, matrix, resampling, fillcolor=fill))


def recoloured(pixels: Pixels, strength: float, generator: Generator) -> Pixels:
    """Brightness, contrast, saturation and the balance of the colours changed by up to ``strength``, a share."""
    if not strength:
        return pixels
    contrast, saturation = np.exp(generator.uniform(-strength, strength, 2) * (1.5, 1))
    # Of a dark picture nothing would be left by what is little to a bright one.
    brightness = 2 * float(pixels[::7, ::7].std()) * generator.uniform(-strength, strength)
    balance = 1 + generator.uniform(-strength, strength, 3) / 3
    colours = saturation * np.eye(3) + (1 - saturation) * _LUMA
    matrix = (contrast * balance[:, None] * colours).astype(np.float32)
    mean = pixels.reshape(-1, 3)[::97].mean(axis=0)
    shift = (contrast * -mean + mean + brightness).astype(np.float32)
    changed = pixels.reshape(-1, 3).astype(np.float32) @ matrix.T + shift
    clipped: Pixels = np.clip(changed, 0, 255).astype(np.uint8).reshape(pixels.shape)
    return clipped
