"""Classification: pictures in, probabilities of the model's labels out."""

from collections.abc import Sequence

import numpy as np

from edgevision.core.errors import ModelFileError
from edgevision.imaging.picture_sources import ArrayColor, ImageSource
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.classification.scores import class_labels, class_scores, classification_of
from edgevision.runtime.tasks.classification.spec import Activation, class_count
from edgevision.runtime.tasks.picture_pipeline import PicturePipeline, image_spec
from edgevision.runtime.tasks.pipeline import require_finite

_BATCH = 32


class Classifier(PicturePipeline[Classification]):
    """A classifier on an engine; call it on a picture or on a list of them.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes, in the order of the model's output.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which the classifier closes in turn; ``color`` is the order of channels in arrays.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input, or does not fit the output.
        """
        super().__init__(engine, metadata, color)
        image = image_spec(metadata)
        self._preprocess = Preprocessor(image)
        self._input = engine.inputs[0].name
        self._spec = classification_of(metadata)
        try:
            classes = class_count(engine.outputs[0], engine.inputs[0])
        except ValueError as error:
            raise ModelFileError(f"{metadata.name!r} is no classifier: {error}") from error
        # Until the first answer where the number of classes is a dynamic axis.
        self.labels = self._spec.labels if classes is None else class_labels(self._spec.labels, max(classes, 2))
        batch = engine.inputs[0].shape[0]
        self._fixed_batch = batch if isinstance(batch, int) else None
        # Pictures that keep their own sizes cannot be stacked.
        self._batch = self._fixed_batch or (_BATCH if image.size is not None else 1)

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Classification]:
        starts = range(0, len(pictures), self._batch)
        return [answer for start in starts for answer in self._classify(pictures[start : start + self._batch])]

    def _classify(self, images: Sequence[ImageSource]) -> list[Classification]:
        tensors = [self._preprocess(image) for image in images]
        if self._fixed_batch is not None:
            tensors += [tensors[-1]] * (self._fixed_batch - len(tensors))
        batch = np.stack(tensors) if len(tensors) > 1 else tensors[0][None]
        scores = class_scores(self.engine.run({self._input: batch})[0], len(batch), self._spec)
        # The logarithm of a probability of 0 is infinite.
        logarithms = self._spec.activation is Activation.LOG_SOFTMAX
        require_finite(np.exp(scores) if logarithms else scores, self.engine)
        if len(self.labels) != scores.shape[1]:
            self.labels = class_labels(self._spec.labels, scores.shape[1])
        return [Classification(self.labels, scores[i], self._spec) for i in range(len(images))]
