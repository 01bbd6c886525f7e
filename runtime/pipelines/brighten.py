"""Brightening by curves that a network estimates from a thumbnail: the same cost for pictures of any size."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from edgevision.metadata import ModelMetadata
from edgevision.preprocessing import Preprocessor
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.pipelines.planes import Array, Samples, unit
from edgevision.runtime.pipelines.restore import DEFAULT_MEMORY, Restorer

# Rows of the picture that are brightened at a time; more would only leave the CPU's cache.
_ROWS = 64


class CurveBrightener(Restorer):
    """A network that predicts curves, on an engine; call it on a picture."""

    def __init__(
        self, engine: Engine, metadata: ModelMetadata, *, tile: int | None = None, memory: int = DEFAULT_MEMORY
    ) -> None:
        """As :class:`Restorer`; the picture is never cut for the network, so ``tile`` and ``memory`` have no effect."""
        super().__init__(engine, metadata.updated(tile=None), memory=memory)
        assert metadata.image is not None
        self._preprocess = Preprocessor(metadata.image)

    def restore(self, samples: Samples, *, network_colors: bool = False) -> Iterator[tuple[int, Array]]:
        curves = self._curves(samples)
        height, width = samples.shape[:2]
        for top in range(0, height, _ROWS):
            bottom = min(top + _ROWS, height)
            rows = unit(samples[top:bottom]).copy()
            maps = _interpolated(curves, top, bottom, height, width)
            for number in range(0, len(curves), 3):
                step = maps[number : number + 3].transpose(1, 2, 0)
                if rows.shape[2] == 1:
                    step = step.mean(axis=2, keepdims=True)
                rows += step * rows * (1 - rows)
            yield top, rows

    def _curves(self, samples: Samples) -> Array:
        """float32 (3 * iterations, h, w) in -1..1."""
        pixels = (unit(samples) * 255 + 0.5).clip(0, 255).astype(np.uint8) if samples.dtype != np.uint8 else samples
        gray = pixels.shape[2] == 1
        thumbnail = self._preprocess(Image.fromarray(pixels[:, :, 0] if gray else pixels))
        curves: Any = self.engine.run({self.engine.inputs[0].name: thumbnail[None]})[0][0]
        return curves  # type: ignore[no-any-return]


def _interpolated(maps: Array, top: int, bottom: int, height: int, width: int) -> Array:
    """The rows from ``top`` to ``bottom`` of ``maps`` (C, h, w) stretched bilinearly to ``height`` and ``width``."""
    scale = maps.shape[1] / height
    return np.stack([_stretched(plane, top * scale, bottom * scale, bottom - top, width) for plane in maps])


def _stretched(plane: Array, top: float, bottom: float, height: int, width: int) -> Array:
    box = (0, top, plane.shape[1], min(bottom, plane.shape[0]))
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR, box=box))
