"""Brightening by curves that a network estimates from a thumbnail: the same cost for pictures of any size."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from edgevision.core.errors import ModelFileError
from edgevision.core.machine import usable_cores
from edgevision.imaging.preprocessing import Preprocessor, resize
from edgevision.imaging.samples import Array, Samples, as_float
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import require_finite
from edgevision.runtime.tasks.restoration.steadiness import Steadiness

# Of a picture at once: few enough for the caches, and for OpenBLAS not to share a product of them among threads, where
# pictures would wait for each other; enough for threads not to wait for each other's Python.
_PIXELS = 80_000

# Of the maps that are stretched to the width of the picture at once: those near its rows, or of a low one their parts.
_MAP_PIXELS = 1 << 18

# Curves of less on average leave a picture as it is. One that is always to be brightened is shown so much darker, at
# most so many times, which reaches a third of its light.
_BRIGHTENS = 0.05
_DARKER = 0.85
_DARKER_STEPS = 7

# Of the thumbnail's pixels, by their brightest channel, the one that tells whether a picture has lights: from the first
# value on they are protected, from the second on wholly. What 1.5 stops less light leave of white is 0.63.
_LIGHTS = 99.8
_LIT = 0.65, 0.95

_CUT = 0.25
"""Mean difference of the curves of two frames, of which they have -1..1, that only another scene makes."""


class Curves(NamedTuple):
    """What a picture is brightened by.

    Attributes:
        maps: float32 (3 * iterations, h, w) in -1..1.
        protection: 0..1, how much of what is bright stays as it is: 1 of white all, of half as bright a quarter.
    """

    maps: Array
    protection: float


class CurveNetwork:
    """A network that predicts curves, on an engine.

    Attributes:
        engine: what runs the model.
        scale: 1, for curves change no size.
        at_once: how many pictures are worth restoring at the same time.
    """

    scale = 1
    # The network sees a thumbnail; what takes time is done by numpy on one core.
    at_once = usable_cores()

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``; :class:`ModelFileError` where the metadata does not describe the thumbnail."""
        if metadata.image is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        self.engine = engine
        self._name = metadata.name
        self._image = metadata.image
        self._preprocess = Preprocessor(metadata.image)

    def restore(
        self, samples: Samples, *, always: bool = False, steady: Steadiness | None = None
    ) -> Iterator[tuple[int, Array]]:
        """The rows of the picture (H, W, 1 or 3) bent by the curves, top to bottom, float32 (n, W, 1 or 3).

        ``always``: a network that would leave the picture as it is gets to see it darker, until it gives curves.
        ``steady``: what keeps them like those of the frames before.
        """
        height, width, channels = samples.shape
        predicted = self._curves(samples, always=always)
        if steady is not None:
            predicted = Curves(*steady.curves(*predicted, cut=_CUT))
        curves, protection = predicted
        if channels == 1:
            curves = curves.reshape(-1, 3, *curves.shape[1:]).mean(axis=1)
        count = curves.shape[1]
        # What share each row of the maps has in each row of the picture.
        down = _stretched(np.eye(count, dtype=np.float32), height, count)
        rows = max(1, _PIXELS // width)
        held = 0, 0, 0  # from which to which row, and from which column, the maps are
        maps: Array = np.empty(0, np.float32)
        for top in range(0, height, rows):
            shares = down[top : top + rows]
            used = np.flatnonzero(shares.any(axis=0))
            first, last = int(used[0]), int(used[-1]) + 1
            given = as_float(samples[top : top + rows]).transpose(2, 0, 1)
            values = given.copy()
            columns = min(max(1, _MAP_PIXELS // (last - first)), width)
            for left in range(0, width, columns):
                right = min(left + columns, width)
                if not held[0] <= first < last <= held[1] or held[2] != left:
                    held = first, max(last, min(first + _MAP_PIXELS // columns, count)), left
                    part = [_stretched(plane[first : held[1]], held[1] - first, width, left, right) for plane in curves]
                    maps = np.stack(part).reshape(-1, channels, held[1] - first, right - left)
                near = slice(first - held[0], last - held[0])
                _bend(values[:, :, left:right], shares[:, first:last], maps[:, :, near])
            if protection:
                _protect(values, given, protection)
            yield top, values.transpose(1, 2, 0)

    def _curves(self, samples: Samples, *, always: bool) -> Curves:
        if samples.dtype == np.uint8:
            pixels = samples
        else:
            pixels = np.empty(samples.shape, np.uint8)
            rows = max(1, _PIXELS // samples.shape[1])
            for top in range(0, len(samples), rows):
                strip = np.s_[top : top + rows]
                pixels[strip] = (as_float(samples[strip]) * 255 + 0.5).clip(0, 255)
        thumbnail = resize(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), self._image)
        brightest = np.asarray(thumbnail).reshape(thumbnail.height * thumbnail.width, -1).max(axis=1)
        lights = np.interp(np.percentile(brightest, _LIGHTS) / 255, _LIT, (0, 1))
        maps = self._predicted(thumbnail)
        for _ in range(_DARKER_STEPS if always else 0):
            if maps.mean() > _BRIGHTENS:
                break
            thumbnail = thumbnail.point(lambda sample: sample * _DARKER)
            maps = self._predicted(thumbnail)
        return Curves(maps, float(lights))

    def _predicted(self, image: Image.Image) -> Array:
        thumbnail = self._preprocess(image)
        answer = self.engine.run({self.engine.inputs[0].name: thumbnail[None]})[0][0]
        if answer.ndim != 3 or not len(answer) or len(answer) % 3:
            raise ModelFileError(f"{self._name!r} gives {answer.shape} for curves, not three maps each")
        curves: Array = require_finite(answer, self.engine)
        return curves


def _bend(values: Array, shares: Array, maps: Array) -> None:
    """Apply the curves to ``values`` (C, h, w) in place: iteration by iteration, of ``maps`` (n, C, count, w)."""
    step, strength = np.empty_like(values), np.empty_like(values)
    for curve in maps:
        np.matmul(shares, curve, out=strength)
        np.subtract(1, values, out=step)
        step *= values
        step *= strength
        values += step


def _protect(values: Array, given: Array, protection: float) -> None:
    """Draw ``values`` (C, h, w) back to what was ``given``, in place, the more the brighter that was.

    Curves that light up what is dark leave hardly a difference between what is bright: lamps and what they shine on
    would run together.
    """
    brightest = given.max(axis=0)
    kept = np.float32(protection) * brightest * brightest
    values += kept * (given - values)


def _stretched(plane: Array, height: int, width: int, left: int = 0, right: int | None = None) -> Array:
    """A float32 plane, bilinearly; of the result the columns from ``left`` up to ``right``."""
    right = width if right is None else right
    box = left * plane.shape[1] / width, 0, right * plane.shape[1] / width, plane.shape[0]
    return np.asarray(Image.fromarray(plane).resize((right - left, height), Image.Resampling.BILINEAR, box=box))
