"""Brightening by curves that a network estimates from a thumbnail: the same cost for pictures of any size."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from edgevision.machine import usable_cores
from edgevision.metadata import ModelMetadata
from edgevision.preprocessing import Preprocessor
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.pipelines.planes import Array, Samples, unit
from edgevision.runtime.pipelines.restore import DEFAULT_MEMORY, Restorer


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
        rows_of_map = min(curves.shape[1], height)
        wide = np.stack([_resized(plane, width, rows_of_map) for plane in curves])
        for top, bottom, row, shares in _between_rows(rows_of_map, height):
            lower, upper = wide[:, row, None], wide[:, min(row + 1, rows_of_map - 1), None]
            planes = unit(samples[top:bottom]).transpose(2, 0, 1).copy()
            step, rest = np.empty_like(planes[0]), np.empty_like(planes[0])
            for number, (low, rise) in enumerate(zip(lower, upper - lower, strict=True)):
                values = planes[number % channels]
                np.multiply(shares[:, None], rise, out=step)
                step += low
                step *= values
                np.subtract(1, values, out=rest)
                step *= rest
                values += step
            yield top, np.ascontiguousarray(planes.transpose(1, 2, 0))

    def _curves(self, samples: Samples) -> Array:
        """float32 (3 * iterations, h, w) in -1..1."""
        pixels = (unit(samples) * 255 + 0.5).clip(0, 255).astype(np.uint8) if samples.dtype != np.uint8 else samples
        gray = pixels.shape[2] == 1
        thumbnail = self._preprocess(Image.fromarray(pixels[:, :, 0] if gray else pixels))
        curves: Any = self.engine.run({self.engine.inputs[0].name: thumbnail[None]})[0][0]
        return curves  # type: ignore[no-any-return]


def _resized(plane: Array, width: int, height: int) -> Array:
    """A float32 plane, bilinearly."""
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))


def _between_rows(count: int, height: int) -> Iterator[tuple[int, int, int, Array]]:
    """Cut ``height`` rows where they pass one of ``count`` that are stretched over them bilinearly.

    (top, bottom, row, shares): the rows from top to bottom lie between ``row`` and the next one, of which they have
    ``shares``, float32 (bottom - top,). Rows are taken at their middles, as Pillow does.
    """
    position = ((np.arange(height) + 0.5) * count / height - 0.5).clip(0, count - 1)
    rows = position.astype(int)
    cuts = [0, *(np.flatnonzero(np.diff(rows)) + 1), height]
    for top, bottom in pairwise(cuts):
        yield int(top), int(bottom), int(rows[top]), (position[top:bottom] - rows[top]).astype(np.float32)
