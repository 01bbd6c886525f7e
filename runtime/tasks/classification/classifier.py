"""Classification: pictures in, probabilities of the model's labels out."""

from typing import overload

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.imaging.images import ImageSource
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.metrics.class_scores import class_labels, class_scores, classification_of, probabilities
from edgevision.modelfiles.metadata import Activation, ClassificationSpec, ModelMetadata
from edgevision.modelfiles.metadata_check import class_count
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.finite_outputs import require_finite
from edgevision.runtime.tasks.pipeline import Pipeline

_BATCH = 32


class Classification:
    """The answer for one picture.

    Attributes:
        labels: the classes, in the order of ``scores``.
        scores: the model's output, float32 (classes,), as :func:`.class_scores.class_scores` has it: logits, or
            what the model ends in.
    """

    __slots__ = ("_probabilities", "_spec", "labels", "scores")

    def __init__(
        self, labels: tuple[str, ...], scores: NDArray[np.float32], spec: ClassificationSpec | None = None
    ) -> None:
        self.labels = labels
        self.scores = scores
        self._spec = spec or ClassificationSpec()
        self._probabilities: NDArray[np.float32] | None = None

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 (classes,), adding up to 1 unless any number of the classes may be true."""
        # Only when asked for: the softmax of a small model's answer is a twentieth of its inference.
        if self._probabilities is None:
            self._probabilities = probabilities(self.scores, self._spec)
        return self._probabilities

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(self.scores.argmax())]

    @property
    def probability(self) -> float:
        """The probability of :attr:`label`, 0..1."""
        return float(self.probabilities.max())

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The ``count`` most probable labels with their probabilities, best first."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def __repr__(self) -> str:
        return f"Classification({self.label!r}, {self.probability:.3f})"


class Classifier(Pipeline):
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
        self._preprocess = Preprocessor(metadata.image)
        self._input = engine.inputs[0].name
        self._spec = classification_of(metadata)
        try:
            classes = class_count(engine.outputs[0], engine.inputs[0])
        except ValueError as error:
            raise ModelFileError(f"{metadata.name!r} is no classifier: {error}") from error
        # Until the first answer where the graph leaves their number open.
        self.labels = metadata.labels if classes is None else class_labels(metadata.labels, max(classes, 2))
        batch = engine.inputs[0].shape[0]
        self._fixed_batch = batch if isinstance(batch, int) else None
        # Pictures that keep their own sizes cannot be stacked.
        self._batch = self._fixed_batch or (_BATCH if metadata.image.size is not None else 1)

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
            starts = range(0, len(images), self._batch)
            return [answer for start in starts for answer in self._classify(images[start : start + self._batch])]
        return self._classify([images])[0]

    def _classify(self, images: list[ImageSource]) -> list[Classification]:
        tensors = [self._preprocess(image) for image in images]
        if self._fixed_batch is not None:
            tensors += [tensors[-1]] * (self._fixed_batch - len(tensors))
        batch = np.stack(tensors) if len(tensors) > 1 else tensors[0][None]
        scores = class_scores(self.engine.run({self._input: batch})[0], len(batch), self._spec)
        # The logarithm of a probability of 0 is infinite.
        logarithms = self._spec.activation is Activation.LOG_SOFTMAX
        require_finite(np.exp(scores) if logarithms else scores, self.engine)
        if len(self.labels) != scores.shape[1]:
            self.labels = class_labels(self.metadata.labels, scores.shape[1])
        return [Classification(self.labels, scores[i], self._spec) for i in range(len(images))]
