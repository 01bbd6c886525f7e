"""Whether a classifier tells which pictures it was trained on: a membership inference by the loss, Yeom et al. 2018.

"Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", https://arxiv.org/abs/1709.01604. Who knows
the mean loss of the training takes a picture whose loss is at most that for one of the training's. The advantage is how
often that is right for pictures that are, less how often it is wrong for pictures that are not; 0 tells nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import expected_labels

_BATCH = 64
_LEAST = 1e-12
"""Of a probability: beyond it float32 says nothing."""

_DEVIATIONS = 1.959964
"""Of a normal distribution, for an interval of 95 %."""


@record
class MembershipReport(Record):
    """What the attack finds.

    ``advantage`` is from -1 to 1 with its interval of 95 % (both rates are binomial, and independent); ``auc`` is how
    often a picture of the training has the lower loss of a pair. ``threshold`` is the mean loss of the training, in
    nats.
    """

    advantage: float
    low: float
    high: float
    auc: float
    threshold: float
    members: int
    others: int

    def table(self) -> str:
        """The advantage with its interval, in points of a hundred, and what it says."""
        tells = "tells nothing that is beyond chance" if self.low <= 0 <= self.high else "tells members from others"
        return (
            f"membership inference (Yeom et al. 2018): advantage {100 * self.advantage:.1f} points"
            f" ({100 * self.low:.1f} to {100 * self.high:.1f}), AUC {self.auc:.3f}, {self.members} members and"
            f" {self.others} others: the loss {tells}"
        )


def evaluate_membership(classifier: Classifier, members: ImageDataset, others: ImageDataset) -> MembershipReport:
    """Attack ``classifier``, of whose training ``members`` are, and ``others`` are not, which come from where they do.

    Raises:
        DatasetError: no class folders, or classes that the model does not know.
        ImageError: a picture cannot be read.
    """
    inside, outside = _losses(classifier, members), _losses(classifier, others)
    threshold = float(inside.mean())
    found, mistaken = float(np.mean(inside <= threshold)), float(np.mean(outside <= threshold))
    variance = found * (1 - found) / len(inside) + mistaken * (1 - mistaken) / len(outside)
    margin = _DEVIATIONS * math.sqrt(variance)
    return MembershipReport(
        advantage=found - mistaken,
        low=found - mistaken - margin,
        high=found - mistaken + margin,
        auc=_auc(inside, outside),
        threshold=threshold,
        members=len(inside),
        others=len(outside),
    )


def _losses(classifier: Classifier, data: ImageDataset) -> NDArray[np.float64]:
    """The cross-entropy of each picture, in nats, float64 (len(data),)."""
    expected = expected_labels(classifier.labels, data)
    losses: list[float] = []
    for start in range(0, len(data), _BATCH):
        indices = range(start, min(start + _BATCH, len(data)))
        answers = classifier([data.image(index) for index in indices])
        right = [answer.probabilities[expected[index]] for index, answer in zip(indices, answers, strict=True)]
        losses += (-np.log(np.maximum(np.array(right, np.float64), _LEAST))).tolist()
    return np.array(losses)


def _auc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """The share of pairs in which the one inside is lower; equal ones count half."""
    ordered = np.sort(outside)
    below, up_to = np.searchsorted(ordered, inside, "left"), np.searchsorted(ordered, inside, "right")
    higher = len(ordered) - up_to
    return float(np.mean(higher + (up_to - below) / 2) / len(ordered))
