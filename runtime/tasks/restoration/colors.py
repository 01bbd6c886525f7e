"""Colours that a network guesses from a gray thumbnail: the same cost of guessing for pictures of any size."""

from collections.abc import Iterator

import numpy as np

from edgevision.core.errors import ModelFileError
from edgevision.core.machine import usable_cores
from edgevision.imaging.guided_filter import LinearFits
from edgevision.imaging.images import remark_once
from edgevision.imaging.lab import from_lab, lightness_of, to_lab
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.imaging.resampling import resized
from edgevision.imaging.samples import Array, Samples, as_float, luma_of, store
from edgevision.imaging.tiling import row_strips
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import require_finite

# In pixels of the thumbnail: so far colours move to the edges of the picture, if these differ by more than this in
# brightness (a variance, of 0..1).
_RADIUS = 3
_FLAT = 1e-3

# A toned print has one colour for each lightness. In so many steps of lightness, colours further from the middle one
# than this (in a and b, root mean square over the thumbnail) are the picture's own.
_LIGHTNESS_STEPS = 16
_TONE = 4.0


class ChromaNetwork:
    """A network that predicts a and b of CIE Lab, on an engine.

    Attributes:
        engine: what runs the model.
        scale: 1, for colours change no size.
        at_once: how many pictures are worth colouring at the same time.
    """

    scale = 1
    # The network sees a thumbnail; what takes time is done by numpy on one core.
    at_once = usable_cores()

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``; :class:`ModelFileError` where the metadata does not describe the thumbnail."""
        if metadata.image is None or metadata.image.size is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes a thumbnail")
        self.engine = engine
        self._size = metadata.image.size
        self._preprocess = Preprocessor(metadata.image)

    def restore(self, samples: Samples, *, always: bool = False) -> Iterator[tuple[int, Array]]:
        """The rows of the picture (H, W, 1 or 3) in colours, top to bottom, float32 (n, W, 3) in 0..1.

        What has colours of its own stays as it is, unless it is ``always`` to get others.
        """
        height, width = samples.shape[:2]
        if not always and has_colors(samples):
            remark_once("a picture that has colours of its own stays as it is; --always gives it others")
            for rows in row_strips(height, width):
                yield rows.start, as_float(samples[rows]).copy()
            return
        gray = _gray(samples)
        thumbnail = resized(gray, self._size)[:, :, None]
        chroma = self._chroma(thumbnail)
        fits = [LinearFits.of(resized(plane, self._size), thumbnail, radius=_RADIUS, epsilon=_FLAT) for plane in chroma]
        for rows in row_strips(height, width):
            ab = np.stack([fit.applied(gray[:, :, None], rows) for fit in fits], axis=2)
            yield rows.start, from_lab(lightness_of(as_float(gray[rows])), ab)

    def _chroma(self, thumbnail: Array) -> Array:
        """a and b, float32 (2, h, w), of gray (H, W, 1) in 0..1."""
        pixels = (thumbnail * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        tensor = self._preprocess.normalise(pixels)
        chroma = self.engine.run({self.engine.inputs[0].name: tensor[None]})[0][0]
        return np.asarray(require_finite(chroma, self.engine), np.float32)


def has_colors(samples: Samples, size: tuple[int, int] = (64, 64)) -> bool:
    """Whether a picture (H, W, 1 or 3) has colours of its own: not where it is gray, or all of one tone as sepia is."""
    if samples.shape[2] == 1:
        return False
    lab = to_lab(resized(samples, size))
    step = (lab[:, :, 0] * (_LIGHTNESS_STEPS / 100)).astype(int).ravel()
    ab = lab[:, :, 1:].reshape(-1, 2)
    middles = np.stack(
        [
            np.median(ab[step == each], axis=0) if (step == each).any() else np.zeros(2)
            for each in range(_LIGHTNESS_STEPS + 1)
        ]
    )
    return bool(np.sqrt(((ab - middles[step]) ** 2).sum(axis=1).mean()) > _TONE)


def _gray(samples: Samples) -> Samples:
    """The luma (H, W) of a picture in its own depth."""
    if samples.shape[2] == 1:
        return samples[:, :, 0]
    gray = np.empty(samples.shape[:2], samples.dtype)
    for rows in row_strips(*samples.shape[:2]):
        store(luma_of(samples[rows]), gray[rows])
    return gray
