"""A restoration network over a picture of any size, tile by tile."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgevision.core.errors import ModelFileError
from edgevision.core.progress import PartsProgress
from edgevision.imaging.network_tensors import Array, NetworkTensors
from edgevision.imaging.samples import Samples
from edgevision.imaging.tiling import Span, blend, take
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import require_finite
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec
from edgevision.runtime.tasks.restoration.tile_sizes import TileSizes

TileInputs = tuple[Samples, *tuple[Array, ...]]
"""What a network is given for a tile: samples (H, W, 1 or 3), and float32 (1, C, H, W) for each of its other inputs."""


class TiledNetwork:
    """A network that gives a picture, or the noise in it, on an engine.

    Attributes:
        engine: what runs the model.
        scale: how many times larger the result's sides are.
        at_once: how many pictures are worth restoring at the same time.
        tensors: between samples and the network's tensors.
        tiles: how large the tiles are.
    """

    # The engine itself uses all cores.
    at_once = 1

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, tile: int | None, memory: int) -> None:
        """As :class:`TileSizes`; :class:`ModelFileError` where the metadata does not describe the picture."""
        if metadata.image is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        spec = metadata.spec_as(RestorationSpec)
        self.engine = engine
        self.scale = spec.scale
        self.tensors = NetworkTensors(metadata.image, spec.output_range)
        self.tiles = TileSizes(metadata, engine.inputs[0].shape, tile=tile, memory=memory)
        self._name = metadata.name
        self._predicts = spec.predicts
        self._batch = engine.inputs[0].shape[0]

    def restore(self, samples: Samples, *, network_colors: bool = False) -> Iterator[tuple[int, Array]]:
        """The restored rows from top to bottom, float32 (n, width, channels) around 0..1, not clipped.

        With ``network_colors`` they are in the network's own colour space instead of the picture's.
        """
        return self.restore_tiles(
            samples.shape, lambda row, column: (take(samples, row, column),), network_colors=network_colors
        )

    def restore_tiles(
        self,
        shape: tuple[int, ...],
        inputs: Callable[[Span, Span], TileInputs | None],
        *,
        network_colors: bool = False,
    ) -> Iterator[tuple[int, Array]]:
        """As :meth:`restore` for a picture of ``shape`` (H, W, 1 or 3), of which ``inputs`` gives the tiles.

        Where that gives ``None``, nothing is computed and the result is 0.
        """
        height, width, channels = shape
        rows, columns = self.tiles.spans(height, width)
        one_more = PartsProgress(len(rows) * len(columns), "tiles of the picture")

        def process(row: Span, column: Span) -> Array | None:
            given = inputs(row, column)
            if given is None:
                one_more()
                return None
            samples, *others = given
            restored = self.tensors.from_tensor(self._infer(self.tensors.to_tensor(samples), *others))
            one_more()
            return restored if network_colors else self.tensors.in_picture_colors(restored, samples)

        if network_colors:
            channels = self.tensors.channels(channels)
        return blend(rows, columns, (height * self.scale, width * self.scale, channels), self.scale, process)

    def _infer(self, tensor: Array, *others: Array) -> Array:
        """The restored tensor; a model for single samples gets them one by one."""
        size = self._batch if isinstance(self._batch, int) else len(tensor)
        names = [spec.name for spec in self.engine.inputs]
        # A colour picture in a gray network is a batch of three, its mask a batch of one.
        alike = [np.repeat(other, len(tensor) // len(other), axis=0) for other in others]
        outputs = [
            self.engine.run({name: array[i : i + size] for name, array in zip(names, (tensor, *alike), strict=True)})[0]
            for i in range(0, len(tensor), size)
        ]
        output: Any = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
        made = len(tensor), tensor.shape[1], *(side * self.scale for side in tensor.shape[2:])
        if output.shape != made:
            # What becomes of dynamic axes shows only now.
            raise ModelFileError(
                f"{self._name!r} makes {output.shape} of {tensor.shape}, which by its metadata is {made}"
            )
        if self._predicts is Prediction.NOISE:
            output = tensor - output
        return require_finite(output, self.engine).astype(np.float32, copy=False)  # type: ignore[no-any-return]
