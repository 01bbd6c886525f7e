"""A stronger membership inference, with shadow models: how much surer a classifier is of a picture than others are.

The offline attack of Carlini et al. 2022, "Membership Inference Attacks From First Principles",
https://arxiv.org/abs/2112.03570, with one variance for all pictures, as they take it where shadow models are few.
These are classifiers of the same kind, trained on other pictures of the same origin, so that every picture is new to
them. What is compared is the logit of the probability of the right class, which is about normally distributed; a
picture counts for a member where the classifier's lies far above what the shadow models' would let expect.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import Record, record

Probabilities = NDArray[np.float64]
"""Of the right class of each picture, (pictures,)."""

_LEAST = 1e-7
"""Between a probability and 0 or 1: beyond it float32 says nothing."""
_FEW_FALSE = 0.01
_DEVIATIONS = 1.959964


@record
class LikelihoodRatioReport(Record):
    """What the attack finds.

    ``advantage`` and its interval of 95 % are as those of the attack by the loss; its threshold is chosen on one half
    of the pictures and judged on the other, both ways. ``found_at_1`` is what share of the members is found by the
    threshold that takes one in a hundred others for one.
    """

    shadows: int
    advantage: float
    low: float
    high: float
    auc: float
    found_at_1: float

    def table(self) -> str:
        """The advantage with its interval, in points of a hundred."""
        return (
            f"likelihood ratio (Carlini et al. 2022, offline, shadow models: {self.shadows}): advantage"
            f" {100 * self.advantage:.1f} points ({100 * self.low:.1f} to {100 * self.high:.1f}), AUC {self.auc:.3f},"
            f" members found with 1 % of others: {100 * self.found_at_1:.1f} %"
        )


class Answers(NamedTuple):
    """What one classifier thinks of the pictures that the attacked one was trained on, and of others."""

    members: Probabilities
    others: Probabilities


def likelihood_ratio(attacked: Answers, shadows: Sequence[Answers]) -> LikelihoodRatioReport:
    """Attack a classifier by its answers and those of at least two shadow models."""
    inside, outside = _scores(attacked, shadows)
    found = mistaken = 0
    for choose, judge in ((0, 1), (1, 0)):
        threshold = _best_threshold(inside[choose::2], outside[choose::2])
        found += int((inside[judge::2] >= threshold).sum())
        mistaken += int((outside[judge::2] >= threshold).sum())
    right, wrong = found / len(inside), mistaken / len(outside)
    margin = _DEVIATIONS * math.sqrt(right * (1 - right) / len(inside) + wrong * (1 - wrong) / len(outside))
    return LikelihoodRatioReport(
        shadows=len(shadows),
        advantage=right - wrong,
        low=right - wrong - margin,
        high=right - wrong + margin,
        auc=lower_share(-inside, -outside),
        found_at_1=float(np.mean(inside > np.quantile(outside, 1 - _FEW_FALSE))),
    )


def lower_share(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """The share of pairs in which the one inside is lower; equal ones count half."""
    ordered = np.sort(outside)
    below, up_to = np.searchsorted(ordered, inside, "left"), np.searchsorted(ordered, inside, "right")
    higher = len(ordered) - up_to
    return float(np.mean(higher + (up_to - below) / 2) / len(ordered))


def _scores(attacked: Answers, shadows: Sequence[Answers]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many deviations the attacked one is surer of each picture than shadow models are."""
    expected = [np.stack([_logit(shadow[part]) for shadow in shadows]) for part in (0, 1)]
    residuals = np.concatenate([(one - one.mean(axis=0)).ravel() for one in expected])
    deviation = math.sqrt(float(np.square(residuals).sum()) / (len(residuals) * (1 - 1 / len(shadows)))) or 1.0
    members, others = ((_logit(attacked[part]) - expected[part].mean(axis=0)) / deviation for part in (0, 1))
    return members, others


def _best_threshold(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    candidates = np.unique(inside)
    found = 1 - np.searchsorted(np.sort(inside), candidates, "left") / len(inside)
    mistaken = 1 - np.searchsorted(np.sort(outside), candidates, "left") / len(outside)
    return float(candidates[np.argmax(found - mistaken)])


def _logit(probability: Probabilities) -> NDArray[np.float64]:
    bounded = probability.clip(_LEAST, 1 - _LEAST)
    return np.asarray(np.log(bounded) - np.log1p(-bounded), np.float64)
