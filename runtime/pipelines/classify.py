"""Classification: pictures in, probabilities of the model's labels out."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from edgevision.errors import ModelFileError
from edgevision.images import ImageSource
from edgevision.metadata import ModelMetadata
from edgevision.metrics import softmax
from edgevision.preprocessing import preprocess
from edgevision.runtime.engines.engine import Engine

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer for one picture: ``probabilities`` is float32 (classes,) and adds up to 1."""

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """The probability of :attr:`label`, 0..1."""
        return float(self.probabilities.max())

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The ``count`` most probable labels with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]


class Classifier:
    """A classifier on an engine; call it on a picture or on a list of them.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes, in the order of the model's output.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``, which the classifier closes in turn.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input, or does not fit the output.
        """
        if metadata.image is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        self.engine = engine
        self.metadata = metadata
        self._spec = metadata.image
        self._input = engine.inputs[0].name
        classes = engine.outputs[0].shape[-1]
        if metadata.labels and isinstance(classes, int) and classes != len(metadata.labels):
            raise ModelFileError(f"{metadata.name!r} has {classes} outputs and {len(metadata.labels)} labels")
        self.labels = metadata.labels or _numbered(classes)
        batch = engine.inputs[0].shape[0]
        self._fixed_batch = batch if isinstance(batch, int) else None
        # Pictures that keep their own sizes cannot be stacked.
        self._batch = self._fixed_batch or (_BATCH if self._spec.size is not None else 1)
        self._gives_probabilities = bool(metadata.outputs) and metadata.outputs[0].value_range == (0.0, 1.0)

    @overload
    def __call__(self, images: ImageSource) -> Classification: ...

    @overload
    def __call__(self, images: list[ImageSource]) -> list[Classification]: ...

    def __call__(self, images: ImageSource | list[ImageSource]) -> Classification | list[Classification]:
        """Classify one picture, or a list of pictures in batches.

        Raises:
            ImageError: a picture cannot be decoded.
            DeviceError: the device failed.
        """
        if isinstance(images, list):
            return [
                Classification(self.labels, row)
                for start in range(0, len(images), self._batch)
                for row in self._probabilities(images[start : start + self._batch])
            ]
        return Classification(self.labels, self._probabilities([images])[0])

    def _probabilities(self, images: Sequence[ImageSource]) -> NDArray[np.float32]:
        tensors = [preprocess(image, self._spec) for image in images]
        if self._fixed_batch is not None:
            tensors += [tensors[-1]] * (self._fixed_batch - len(tensors))
        batch = np.stack(tensors) if len(tensors) > 1 else tensors[0][None]
        scores = np.asarray(self.engine.run({self._input: batch})[0][: len(images)], np.float32)
        return scores if self._gives_probabilities else softmax(scores)

    def close(self) -> None:
        """Free the model's memory."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _numbered(classes: int | str) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(classes)) if isinstance(classes, int) else ()
