"""How much worse a form of a classifier is than the float model."""

from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgevision.data.datasets import ImageDataset
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.classification.scores import (
    class_labels,
    class_scores,
    classification_of,
    probabilities,
)
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.evaluation import picture_name
from edgevision.runtime.tasks.quality import Example, Quality, output_values
from edgevision.runtime.tasks.samples import Batch


class ClassifierQuality:
    """Top-1 accuracy where the classes are known, in points; agreement with the float model anyway.

    Without classes the loss is what accuracy would be lost if the float model's probabilities were true: its
    probability of its own answer, less that of the other model's.
    """

    unit = "points"
    budget = 0.3

    def __init__(
        self,
        reference: Engine,
        inputs: Batch,
        expected: NDArray[np.int64] | None,
        classification: ClassificationSpec | None = None,
        data: ImageDataset | None = None,
    ) -> None:
        self._inputs, self._expected, self._data = inputs, expected, data
        self._spec = classification or ClassificationSpec()
        self._reference = self._scores(reference)
        self.metric = "agreement" if expected is None else "top1"

    @classmethod
    def on_pictures(cls, metadata: ModelMetadata, reference: Engine, inputs: Batch, data: ImageDataset | None) -> Self:
        """With the classes of ``data``, unless its folders are no classes of the model's but just folders."""
        labels = metadata.spec_as(ClassificationSpec).labels
        known = data is not None and bool(data.class_names) and set(data.class_names) <= set(labels)
        expected = expected_labels(labels, data) if data is not None and known else None
        return cls(reference, inputs, expected, classification_of(metadata), data)

    def __call__(self, engine: Engine) -> Quality:
        scores = self._scores(engine)
        theirs, ours = self._reference.argmax(-1), scores.argmax(-1)
        figures = {"agreement": 100 * float(np.mean(theirs == ours)), "sqnr": sqnr_db(self._reference, scores)}
        if self._expected is not None:
            figures["top1"] = 100 * float(np.mean(ours == self._expected))
            loss = 100 * float(np.mean(theirs == self._expected)) - figures["top1"]
        else:
            rows = np.arange(len(ours))
            probable = probabilities(self._reference.astype(np.float32), self._spec)
            loss = 100 * float(np.mean(probable[rows, theirs] - probable[rows, ours]))
        return Quality(figures=figures, loss=loss)

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The answer for each picture, where it is judged on pictures."""
        data = self._data
        if data is None:
            return ()
        scores = self._scores(engine)
        labels = class_labels(self._spec.labels, scores.shape[-1])
        expected = [None] * len(scores) if self._expected is None else [labels[index] for index in self._expected]
        return [
            Example(picture_name(data, index), partial(_pixels, data, index), labels[answer], right)
            for index, (answer, right) in enumerate(zip(scores.argmax(-1).tolist(), expected, strict=True))
        ]

    def _scores(self, engine: Engine) -> NDArray[np.float64]:
        outputs = output_values(engine, self._inputs)
        scores: NDArray[np.float64] = class_scores(outputs[0], len(self._inputs[0]), self._spec)
        return scores


def _pixels(data: ImageDataset, index: int) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.asarray(data.image(index).convert("RGB"))
    return pixels
