"""Reconstruction: a picture to the code of a variational autoencoder, and back."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from edgevision.core.errors import ModelFileError
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.network_tensors import NetworkTensors
from edgevision.imaging.picture_sources import ArrayColor, ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor, resize
from edgevision.imaging.samples import store
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.autoencoding.result import Code, Reconstruction
from edgevision.runtime.tasks.picture_pipeline import PicturePipeline, image_spec
from edgevision.runtime.tasks.pipeline import require_finite

_BATCH = 32


class Encoder(PicturePipeline[Code]):
    """The encoder of an autoencoder on an engine; call it on a picture for its code.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which this closes in turn; ``color`` is the order of channels in arrays of pictures.

        Raises:
            ModelFileError: the metadata does not describe the picture.
        """
        super().__init__(engine, metadata, color)
        self._preprocess = Preprocessor(_sized_image(metadata))

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Code]:
        return [
            Code(code)
            for batch in _batches(pictures)
            for code in _outputs(self.engine, self._preprocess, [read_image(picture) for picture in batch])[-1]
        ]


class Reconstructor(PicturePipeline[Reconstruction]):
    """A whole autoencoder on an engine; call it on a picture for its reconstruction and its code.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """As :class:`Encoder`; the arrays made of the results are in ``color`` too."""
        super().__init__(engine, metadata, color)
        self._image = _sized_image(metadata)
        self._preprocess = Preprocessor(self._image)
        self._tensors = NetworkTensors(self._image)

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Reconstruction]:
        return [result for batch in _batches(pictures) for result in self._reconstruct(batch)]

    def _reconstruct(self, sources: Sequence[ImageSource]) -> Iterator[Reconstruction]:
        pictures = [resize(read_image(source), self._image) for source in sources]
        restored, codes = _outputs(self.engine, self._preprocess, pictures)[:2]
        # Colours that the network does not have are the picture's own.
        color = Color.GRAY if self._image.color is Color.GRAY else Color.RGB
        for picture, tensor, code in zip(pictures, restored, codes, strict=True):
            rows = self._tensors.in_picture_colors(self._tensors.from_tensor(tensor[None]), to_array(picture, color))
            pixels = np.empty(rows.shape, np.uint8)
            store(rows, pixels)
            yield Reconstruction(Picture(pixels, array_color=self._color), Code(code))


def _sized_image(metadata: ModelMetadata) -> ImageSpec:
    image = image_spec(metadata)
    if image.size is None:
        raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input: no size")
    return image


def _batches(pictures: Sequence[ImageSource]) -> Iterator[Sequence[ImageSource]]:
    return (pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH))


def _outputs(engine: Engine, preprocess: Preprocessor, pictures: Sequence[Image.Image]) -> list[Any]:
    """All outputs of the network, with a row for each picture."""
    outputs = run_batched(engine, [np.stack([preprocess(picture) for picture in pictures])])
    return [require_finite(output, engine) for output in outputs]
