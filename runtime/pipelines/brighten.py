"""Brightening by curves that a network estimates from a thumbnail: the same cost for pictures of any size."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from edgevision.errors import ModelFileError
from edgevision.machine import usable_cores
from edgevision.metadata import ModelMetadata
from edgevision.preprocessing import Preprocessor
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.pipelines.finite import finite
from edgevision.runtime.pipelines.planes import Array, Samples, unit
from edgevision.runtime.pipelines.restore import DEFAULT_MEMORY, Restorer

# Of a picture at once: few enough for the caches, and for OpenBLAS not to share a product of them among threads, where
# pictures would wait for each other; enough for threads not to wait for each other's Python.
_PIXELS = 80_000


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
        count = curves.shape[1]
        maps = np.stack([_stretched(plane, count, width) for plane in curves]).reshape(-1, channels, count, width)
        # What share each row of the maps has in each row of the picture.
        down = _stretched(np.eye(count, dtype=np.float32), height, count)
        rows = max(1, _PIXELS // width)
        for top in range(0, height, rows):
            shares = down[top : top + rows]
            used = np.flatnonzero(shares.any(axis=0))
            near = slice(used[0], used[-1] + 1)
            values = unit(samples[top : top + rows]).transpose(2, 0, 1).copy()
            step, strength = np.empty_like(values), np.empty_like(values)
            for curve in maps:
                np.matmul(shares[:, near], curve[:, near], out=strength)
                np.subtract(1, values, out=step)
                step *= values
                step *= strength
                values += step
            yield top, values.transpose(1, 2, 0)

    def _curves(self, samples: Samples) -> Array:
        """float32 (3 * iterations, h, w) in -1..1."""
        pixels = (unit(samples) * 255 + 0.5).clip(0, 255).astype(np.uint8) if samples.dtype != np.uint8 else samples
        gray = pixels.shape[2] == 1
        thumbnail = self._preprocess(Image.fromarray(pixels[:, :, 0] if gray else pixels))
        answer = self.engine.run({self.engine.inputs[0].name: thumbnail[None]})[0][0]
        if answer.ndim != 3 or not len(answer) or len(answer) % 3:
            raise ModelFileError(f"{self.metadata.name!r} gives {answer.shape} for curves, not three maps each")
        curves: Array = finite(answer, self.engine)
        return curves


def _stretched(plane: Array, height: int, width: int) -> Array:
    """A float32 plane, bilinearly."""
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
