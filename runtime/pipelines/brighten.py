"""Brightening by curves that a network estimates from a thumbnail: the same cost for pictures of any size."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from edgevision.machine import usable_cores
from edgevision.metadata import ModelMetadata
from edgevision.preprocessing import Preprocessor
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.pipelines.planes import Array, Samples, unit
from edgevision.runtime.pipelines.restore import DEFAULT_MEMORY, Restorer

# Rows of the picture at a time: more leave the CPU's cache, with fewer two pictures at once wait for Python's lock.
_ROWS = 256


class CurveBrightener(Restorer):
    """A network that predicts curves, on an engine; call it on a picture."""

    # The network sees a thumbnail; what takes time is done by numpy on one core.
    at_once = usable_cores()

    def __init__(
        self, engine: Engine, metadata: ModelMetadata, *, tile: int | None = None, memory: int = DEFAULT_MEMORY
    ) -> None:
        """As :class:`Restorer`; the picture is never cut for the network, so ``tile`` and ``memory`` have no effect."""
        super().__init__(engine, metadata.updated(tile=None), memory=memory)
        assert metadata.image is not None
        self._preprocess = Preprocessor(metadata.image)

    def restore(self, samples: Samples, *, network_colors: bool = False) -> Iterator[tuple[int, Array]]:
        height, width, channels = samples.shape
        curves = self._curves(samples)
        if channels == 1:
            curves = curves.reshape(-1, 3, *curves.shape[1:]).mean(axis=1)
        wide = [_resized(plane, width, plane.shape[0], (0, plane.shape[0])) for plane in curves]
        scale = curves.shape[1] / height
        for top in range(0, height, _ROWS):
            bottom = min(top + _ROWS, height)
            span = top * scale, min(bottom * scale, curves.shape[1])
            rows = unit(samples[top:bottom]).transpose(2, 0, 1).copy()
            for number, plane in enumerate(wide):
                values = rows[number % channels]
                step = _resized(plane, width, bottom - top, span) * values
                step *= 1 - values
                values += step
            yield top, np.ascontiguousarray(rows.transpose(1, 2, 0))

    def _curves(self, samples: Samples) -> Array:
        """float32 (3 * iterations, h, w) in -1..1."""
        pixels = (unit(samples) * 255 + 0.5).clip(0, 255).astype(np.uint8) if samples.dtype != np.uint8 else samples
        gray = pixels.shape[2] == 1
        thumbnail = self._preprocess(Image.fromarray(pixels[:, :, 0] if gray else pixels))
        curves: Any = self.engine.run({self.engine.inputs[0].name: thumbnail[None]})[0][0]
        return curves  # type: ignore[no-any-return]


def _resized(plane: Array, width: int, height: int, span: tuple[float, float]) -> Array:
    """The rows of ``span`` of a float32 plane, stretched bilinearly."""
    box = (0, span[0], plane.shape[1], span[1])
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR, box=box))
