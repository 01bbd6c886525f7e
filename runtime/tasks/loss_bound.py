"""How sure a loss of quality is that was measured on some pictures: paired differences, and what was not seen.

A form and the float model are judged on the same pictures, so a loss is the mean of one difference for each picture
(:func:`paired_bound`), or for a figure that is no mean what leaving pictures out changes in it, Tukey's pseudo-values
(:func:`jackknife_bound`; Efron, "The jackknife, the bootstrap and other resampling plans", 1982). Where figures count
things, a few pictures may show no difference at all and prove little: one more thing is taken to be lost than was seen,
which for rare losses is near the exact Poisson limit (three where none was seen).

On few pictures a bound may lie beyond a budget whatever was lost. What lost no more than half of it is then held to be
within it by the estimate, unless ten times as much may be lost; that is no proof, and people are told so
(:func:`find_proof`). One picture alone has no bound, and proves nothing either.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevision.core.records import Record, record

_CONFIDENCE = 0.95
_GROUPS = 20
# Of a budget, what an estimate that is not proven may be, and what its bound.
_ESTIMATED, _BOUNDED = 0.5, 10.0


@record
class LossBound(Record):
    """How far a loss may be above what ``pictures`` showed, in its unit.

    ``error`` is the standard error of the loss, ``unseen`` what one thing more that is lost would add to it.
    """

    pictures: int
    error: float
    unseen: float = 0.0

    @property
    def reach(self) -> float:
        """With 95 % confidence it is above it by no more than this."""
        return self._reach_on(1.0)

    def enough(self, room: float) -> int | None:
        """On how many pictures like these the reach would be within ``room``; ``None`` where on none."""
        if room <= 0:
            return None
        factor = 1.0
        while self._reach_on(factor) > room:
            factor *= 1.1
        return math.ceil(factor * self.pictures)

    def _reach_on(self, factor: float) -> float:
        unseen, variance = self.unseen / factor, self.error**2 / factor
        return unseen + _student(factor * self.pictures - 1) * math.sqrt(variance + unseen**2)


@record
class BoundedLoss(Record):
    """``loss`` is what the budget bounds.

    ``bound`` says how sure it is; ``None`` where it was judged on one input, or something is broken for sure.
    """

    loss: float
    bound: LossBound | None = None

    @property
    def at_most(self) -> float:
        """What the loss is on other data like these, with 95 % confidence."""
        return self.loss if self.bound is None else self.loss + self.bound.reach

    def proof(self, budget: float) -> "Proof | None":
        """What says that it is within ``budget``, if anything does: only then it may be written."""
        return find_proof(self.loss, self.bound, budget)


def paired_bound(differences: ArrayLike, *, unseen: float = 0.0) -> LossBound | None:
    """Of a loss that is the mean of ``differences``; ``None`` for fewer than two, which say nothing of others."""
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    return LossBound(pictures=len(values), error=float(values.std(ddof=1)) / math.sqrt(len(values)), unseen=unseen)


def ratio_bound(lost: ArrayLike, there: ArrayLike, *, unseen: float = 0.0) -> LossBound | None:
    """Of a loss that is the sum of ``lost`` over that of what is ``there``, both by picture: linearised."""
    parts, wholes = np.asarray(lost, np.float64), np.asarray(there, np.float64)
    if not wholes.sum():
        return None
    loss = parts.sum() / wholes.sum()
    return paired_bound(loss + (parts - loss * wholes) / wholes.mean(), unseen=unseen)


def jackknife_bound(
    pictures: int,
    loss_without: Callable[[NDArray[np.bool_]], float],
    *,
    unseen: float = 0.0,
    samples: NDArray[np.int64] | None = None,
) -> LossBound | None:
    """Of a loss that ``loss_without`` some pictures, as it is given them (pictures,), would be another.

    ``samples`` (pictures,) counts from 0 the independent sample that each picture is of, where several in a row show
    the same; the bound then is one on so many.
    """
    if samples is None:
        samples = np.arange(pictures)
    count = int(samples[-1]) + 1 if pictures else 0
    groups = min(count, _GROUPS)
    if groups < 2:
        return None
    # Neighbours may resemble each other: each group is a stretch.
    member = samples * groups // count
    losses = np.array([loss_without(member == group) for group in range(groups)])
    if not np.isfinite(losses).all():
        return None
    error = math.sqrt((groups - 1) ** 2 / groups * float(losses.var(ddof=1)))
    return LossBound(pictures=count, error=error, unseen=unseen)


class Proof(StrEnum):
    """What says that a loss is within a budget."""

    BOUND = "bound"
    """With 95 % confidence it is on other data, too."""
    ESTIMATE = "estimate"
    """It is well within on the pictures that there were, which are too few to prove it."""


def find_proof(loss: float, bound: LossBound | None, budget: float) -> Proof | None:
    """What says that a loss is within ``budget``; ``None`` where nothing does, or it is not."""
    at_most = loss if bound is None else loss + bound.reach
    # A negative one is an SQNR, of which nothing is left to chance: inputs can be drawn, and nothing is counted.
    if at_most <= budget and (bound is not None or budget < 0):
        return Proof.BOUND
    if budget >= 0 and loss <= _ESTIMATED * budget and at_most <= _BOUNDED * budget:
        return Proof.ESTIMATE
    return None


def _student(degrees: float) -> float:
    """The 95 % quantile of Student's t (Hill, "Algorithm 396", 1970, as an expansion around the normal's)."""
    z, n = NormalDist().inv_cdf(_CONFIDENCE), max(1.0, degrees)
    return z + (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
