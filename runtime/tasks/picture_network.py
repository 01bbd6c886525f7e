"""A network that is given pictures as its metadata say how they become an input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import Placement, Preprocessor, placement, resize
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.runtime.engines.engine import Engine


class PictureNetwork:
    """Between pictures and the outputs of a network by name."""

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
    def run(engine: Engine, tensors: Sequence[NDArray[np.float32]]) -> list[dict[str, NDArray[Any]]]:
        """The outputs of each picture by name, each with a batch of 1.

        They run together where the network takes several of one size at once and has an answer for each. One with a
        fixed batch gets its last picture again until that is full.
        """
        batch = engine.inputs[0].shape[0]
        copies = batch if isinstance(batch, int) else 1
        several = all(spec.shape and spec.shape[0] == batch for spec in engine.outputs)
        several &= len({tensor.shape for tensor in tensors}) == 1
        at_once = 1 if not several else batch if isinstance(batch, int) else len(tensors)
        answers = []
        for start in range(0, len(tensors), at_once):
            chunk = list(tensors[start : start + at_once])
            fed = chunk + chunk[-1:] * (copies - len(chunk))
            arrays = engine.run({engine.inputs[0].name: np.concatenate(fed) if len(fed) > 1 else fed[0]})
            for place in range(len(chunk)):
                own = [array[place : place + 1] if len(fed) > 1 else array for array in arrays]
                answers.append({spec.name: array for spec, array in zip(engine.outputs, own, strict=True)})
        return answers
