"""How much worse a form of a network over frames is than the float model."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.classification.quality import ClassifierQuality
from edgevision.runtime.tasks.classification.scores import class_labels, classification_of
from edgevision.runtime.tasks.quality import Example
from edgevision.runtime.tasks.sequences.evaluation import clip_names
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier


class SequenceQuality(ClassifierQuality):
    """As of a classifier, by the answers after the last frame of clips, each of which runs from its first frame on."""

    def __init__(self, metadata: ModelMetadata, reference: Engine, data: Any) -> None:
        self._metadata, self._clips = metadata, data
        labels = class_labels(classification_of(metadata).labels, int(reference.outputs[0].shape[-1]))
        try:
            expected = expected_labels(labels, data)
        except DatasetError:  # the folders are no classes of the model's
            expected = None
        super().__init__(reference, (), expected, classification_of(metadata))

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The answer for each clip, and its last frame."""
        classifier = SequenceClassifier(engine, self._metadata)
        answers = self._scores(engine).argmax(-1).tolist()
        right = [None] * len(answers) if self._expected is None else [classifier.labels[i] for i in self._expected]
        return [
            Example(name, partial(self._last_frame, index), classifier.labels[answer], expected)
            for index, (name, answer, expected) in enumerate(zip(clip_names(self._clips), answers, right, strict=True))
        ]

    def _scores(self, engine: Engine) -> NDArray[np.float64]:
        classifier = SequenceClassifier(engine, self._metadata)
        return np.stack([self._answer(classifier, index) for index in range(len(self._clips))])

    def _answer(self, classifier: SequenceClassifier, index: int) -> NDArray[np.float64]:
        answer: Any = classifier(self._clips.frames(index))
        return np.asarray(answer.scores[-1], np.float64)

    def _last_frame(self, index: int) -> NDArray[np.uint8]:
        *_, frame = self._clips.frames(index)
        pixels: NDArray[np.uint8] = frame
        return pixels if pixels.ndim == 3 else pixels[..., None]
