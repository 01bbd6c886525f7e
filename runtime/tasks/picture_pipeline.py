"""A pipeline of pictures alone: called on one it gives an answer, called on several a list of them."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, overload

from edgevision.core.errors import ModelFileError
from edgevision.imaging.picture_sources import (
    ArrayColor,
    Batch,
    ImageSource,
    ImageSources,
    Source,
    check_array_color,
    split_pictures,
)
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import Pipeline

Answer = TypeVar("Answer")


class PicturePipeline(Pipeline, Generic[Answer]):
    """What pictures go through on an engine.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, color: ArrayColor) -> None:
        """Use ``engine``, which this closes in turn; ``color`` is the order of channels in arrays."""
        self.engine = engine
        self.metadata = metadata
        self._color = check_array_color(color)

    @overload
    def __call__(self, images: Batch) -> list[Answer]: ...

    @overload
    def __call__(self, images: ImageSource) -> Answer: ...

    @overload
    def __call__(self, images: ImageSources[Source]) -> list[Answer]: ...

    def __call__(self, images: Any) -> Answer | list[Answer]:
        """The answer for a picture, or for several, in their order.

        Raises:
            ImageError: a picture cannot be decoded.
            ModelFileError: the outputs are not what the metadata say of them.
            NotFiniteError: they have NaN or Inf.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        answers = self._answers_of(pictures)
        return answers if several else answers[0]

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Answer]:
        """One for each picture."""
        raise NotImplementedError


def image_spec(metadata: ModelMetadata) -> ImageSpec:
    """How a picture becomes the network's input; :class:`ModelFileError` where nothing says so."""
    if metadata.image is None:
        raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
    return metadata.image
