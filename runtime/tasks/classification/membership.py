"""Whether a classifier tells which pictures it was trained on: a membership inference by the loss, Yeom et al. 2018.

"Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", https://arxiv.org/abs/1709.01604. Who knows
the mean loss of the training takes a picture whose loss is at most that for one of the training's. The advantage is how
often that is right for pictures that are, less how often it is wrong for pictures that are not; 0 tells nothing.
"""

import math
from collections.abc import Iterable

import numpy as np

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.classification.likelihood_ratio import (
    Answers,
    LikelihoodRatioReport,
    Probabilities,
    likelihood_ratio,
    lower_share,
)

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
    nats. ``likelihood_ratio`` is what shadow models find, where there are any.
    """

    advantage: float
    low: float
    high: float
    auc: float
    threshold: float
    members: int
    others: int
    likelihood_ratio: LikelihoodRatioReport | None = None

    def table(self) -> str:
        """The advantage with its interval, in points of a hundred, and what it says."""
        tells = "tells nothing that is beyond chance" if self.low <= 0 <= self.high else "tells members from others"
        by_loss = (
            f"membership inference (Yeom et al. 2018): advantage {100 * self.advantage:.1f} points"
            f" ({100 * self.low:.1f} to {100 * self.high:.1f}), AUC {self.auc:.3f}, {self.members} members and"
            f" {self.others} others: the loss {tells}"
        )
        return by_loss if self.likelihood_ratio is None else f"{by_loss}\n{self.likelihood_ratio.table()}"

    def figures(self) -> dict[str, float]:
        """By the names that they have in a model's metadata."""
        by_ratio = self.likelihood_ratio
        more = {} if by_ratio is None else {"likelihood_ratio_advantage": 100 * by_ratio.advantage}
        return {"membership_advantage": 100 * self.advantage} | more


def evaluate_membership(
    classifier: Classifier, members: ImageDataset, others: ImageDataset, shadows: Iterable[Classifier] = ()
) -> MembershipReport:
    """Attack ``classifier``, of whose training ``members`` are, and ``others`` are not, which come from where they do.

    ``shadows`` are classifiers of the same kind that were trained on neither.

    Raises:
        DatasetError: no class folders, or classes that the model does not know.
        ImageError: a picture cannot be read.
    """
    attacked = Answers(_probabilities(classifier, members), _probabilities(classifier, others))
    inside, outside = (-np.log(np.maximum(part, _LEAST)) for part in attacked)
    answers = [Answers(_probabilities(shadow, members), _probabilities(shadow, others)) for shadow in shadows]
    threshold = float(inside.mean())
    found, mistaken = float(np.mean(inside <= threshold)), float(np.mean(outside <= threshold))
    variance = found * (1 - found) / len(inside) + mistaken * (1 - mistaken) / len(outside)
    margin = _DEVIATIONS * math.sqrt(variance)
    return MembershipReport(
        advantage=found - mistaken,
        low=found - mistaken - margin,
        high=found - mistaken + margin,
        auc=lower_share(inside, outside),
        threshold=threshold,
        members=len(inside),
        others=len(outside),
        likelihood_ratio=likelihood_ratio(attacked, answers) if answers else None,
    )


def _probabilities(classifier: Classifier, data: ImageDataset) -> Probabilities:
    """Of the class that each picture is of, float64 (len(data),)."""
    expected = expected_labels(classifier.labels, data)
    found: list[float] = []
    for start in range(0, len(data), _BATCH):
        indices = range(start, min(start + _BATCH, len(data)))
        answers = classifier([data.image(index) for index in indices])
        found += [float(answer.probabilities[expected[i]]) for i, answer in zip(indices, answers, strict=True)]
    return np.array(found)
