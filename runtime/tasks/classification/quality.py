"""How much worse a form of a classifier is than the float model."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgevision.data.datasets import ImageDataset
from edgevision.metrics.figures import softmax, sqnr_db
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
from edgevision.runtime.tasks.loss_bound import paired_bound
from edgevision.runtime.tasks.quality import Example, Quality, output_values
from edgevision.runtime.tasks.samples import Batch


class ClassifierQuality:
    """The accuracy that is lost, in points; top-1 where the classes are known, and agreement with the float model.

    A picture that is answered otherwise costs the float model's probability of its own answer, less that of the other.
    Where classes are known its probabilities are tempered until they tell how often it is right (Guo et al., "On
    calibration of modern neural networks", 2017). Answers turn over where two classes are nearly as likely, and to
    count there which of them the label is, is a toss: it takes a hundred times as many pictures to be as sure.
    Where the labels are sure that more is lost, they count.
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
        rows = np.arange(len(ours))
        costs = 100 * (self._probable[rows, theirs] - self._probable[rows, ours])
        changed = costs[theirs != ours]
        # One more would cost as much as these, or as what is next to turn over.
        nearest = 100 * float(np.min(self._margins[theirs == ours], initial=1.0))
        unseen = max(nearest, float(changed.mean()) if len(changed) else 0.0) / len(costs)
        loss, bound = float(costs.mean()), paired_bound(costs, unseen=unseen)
        if self._expected is not None:
            figures["top1"] = 100 * float(np.mean(ours == self._expected))
            labelled = 100.0 * ((theirs == self._expected) - 1.0 * (ours == self._expected))
            counted = paired_bound(labelled, unseen=0.0)
            if counted is not None and float(labelled.mean()) - counted.reach > loss:
                loss, bound = float(labelled.mean()), counted
        return Quality(figures=figures, loss=loss, bound=bound)

    @cached_property
    def _probable(self) -> NDArray[np.float64]:
        """The float model's probability of each class for each picture."""
        probable = probabilities(self._reference.astype(np.float32), self._spec).astype(np.float64)
        return probable if self._expected is None else _tempered(probable, self._expected)

    @cached_property
    def _margins(self) -> NDArray[np.float64]:
        """How much more probable than the next its answer is, for each picture."""
        best = np.sort(self._probable, axis=-1)
        margins: NDArray[np.float64] = best[:, -1] - best[:, -2] if best.shape[-1] > 1 else best[:, -1]
        return margins

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


def _tempered(probable: NDArray[np.float64], expected: NDArray[np.int64]) -> NDArray[np.float64]:
    """At the temperature at which what is ``expected`` is most likely; as they are where they do not add up to 1."""
    if not np.allclose(probable.sum(axis=-1), 1, atol=1e-3):
        return probable
    logarithms = np.log(np.maximum(probable, 1e-12))
    found = [softmax(logarithms / temperature) for temperature in np.geomspace(0.5, 8, 33)]
    rows = np.arange(len(expected))
    likely: NDArray[np.float64] = max(
        found, key=lambda one: float(np.log(np.maximum(one[rows, expected], 1e-12)).sum())
    )
    return likely
