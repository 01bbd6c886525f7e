"""A network that is given one picture at a time, as its metadata say how that becomes an input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import Placement, Preprocessor, placement, resize
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.runtime.engines.engine import Engine


class PictureNetwork:
    """Between one picture and the outputs of a network by name."""

    def __init__(self, metadata: ModelMetadata, image: ImageSpec) -> None:
        """Of a network with these metadata, whose pictures are as ``image`` says."""
        self._image, self._tile = image, metadata.tile
        self._preprocess = Preprocessor(image)

    def tensor(self, image: Image.Image) -> tuple[NDArray[np.float32], Placement]:
        """The input (1, C, H, W), with sides that the network takes, and where the picture lies in it."""
        pixels = to_array(resize(image, self._image), self._image.color)
        if self._image.size is None and self._tile is not None:
            height, width = pixels.shape[:2]
            frame = ((0, self._tile.padded(height) - height), (0, self._tile.padded(width) - width), (0, 0))
            pixels = np.pad(pixels, frame, constant_values=self._image.pad_value)
        return self._preprocess.normalise(pixels)[None], placement(image.width, image.height, self._image)

    @staticmethod
    def run(engine: Engine, tensor: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """The outputs of one picture by name; a network with a fixed batch gets it that many times."""
        batch = engine.inputs[0].shape[0]
        copies = batch if isinstance(batch, int) else 1
        arrays = engine.run({engine.inputs[0].name: np.repeat(tensor, copies, axis=0) if copies > 1 else tensor})
        if copies > 1:
            arrays = [array[:1] for array in arrays]
        return {spec.name: array for spec, array in zip(engine.outputs, arrays, strict=True)}
