"""How much worse a form of a network over frames is than the float model."""

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.modelfiles.graph_check import needed_image
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.classification.quality import ClassifierQuality
from edgevision.runtime.tasks.classification.scores import class_labels, classification_of
from edgevision.runtime.tasks.quality import Example
from edgevision.runtime.tasks.sequences.evaluation import clip_names
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier

# Clips of one length, which an engine takes together.
_AT_ONCE = 16


class SequenceQuality(ClassifierQuality):
    """As of a classifier, by the answers after the last frame of clips, each of which runs from its first frame on."""

    def __init__(self, metadata: ModelMetadata, reference: Engine, data: Any) -> None:
        """``data`` are clips by index, each an array as :func:`.clips.sampled_clip` makes them."""
        # Of which nothing more is cut.
        self._metadata = metadata.updated(image=needed_image(metadata).updated(crop_share=1.0))
        self._clips = data
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
        scores = np.empty((len(self._clips), len(classifier.labels)))
        for places in self._together:
            clips = [[classifier.tensor(frame) for frame in self._clips.frames(place)] for place in places]
            scores[places] = classifier.last_scores(np.array(clips))
        return scores

    @cached_property
    def _together(self) -> list[list[int]]:
        """Places of clips that can be run at once, as they have one length."""
        lengths = [len(self._clips.frames(place)) for place in range(len(self._clips))]
        ordered = sorted(range(len(lengths)), key=lengths.__getitem__)
        alike = [list(places) for _, places in groupby(ordered, key=lengths.__getitem__)]
        return [places[start : start + _AT_ONCE] for places in alike for start in range(0, len(places), _AT_ONCE)]

    def _last_frame(self, index: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = self._clips.frames(index)[-1]
        return pixels
