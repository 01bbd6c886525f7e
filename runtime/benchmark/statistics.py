"""What a series of latencies says about the program behind it, and how surely.

Nothing here assumes a distribution: latencies have long tails and often two modes. In real series neighbours resemble
each other and the machine drifts; both make a series worth fewer samples than it has, which
:mod:`edgevision.runtime.benchmark.autocorrelation` estimates.

* A percentile's interval is that of order statistics, from the exact binomial distribution, interpolated between
  ranks so that it covers 95 % and not more (Nyblom, "Note on interpolated order statistics", 1992).
* The ratio of two medians has the interval of a block bootstrap, which draws blocks of consecutive samples instead of
  single ones. Two series that were interleaved are drawn together, round by round: what slowed both cancels out.
  Models are compared by the means of such rounds and not by single runs: see
  :class:`edgevision.runtime.benchmark.timing.InterleavedRuns`.
"""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.autocorrelation import effective_share

Floats = NDArray[np.float64]

SAME = 0.01
"""A ratio of medians that is no further from 1 shows no difference."""

_OUTSIDE = 0.025
"""What lies on either side of a 95 % interval."""

# A little less than that beside a ratio's: the bootstrap of a median falls short by so much, and of two identical
# programs no more than 5 % may be told apart.
_OUTSIDE_RATIO = 0.02
_RESAMPLES = 1000
# Long and therefore few, so that a block outlasts most disturbances; what so few tell about the spread is paid for
# by Student's t.
_BLOCK = 20
_FEWEST_BLOCKS, _MOST_BLOCKS = 10, 40
_CANDIDATES = 201


@record
class Estimate(Record):
    """A figure and its 95 % interval; an end is ``None`` where there are too few samples to bound it."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def relative_width(self) -> float:
        """Half the interval's width over the value; infinite where an end is unknown."""
        if self.low is None or self.high is None or not self.value:
            return math.inf
        return (self.high - self.low) / 2 / abs(self.value)


@record
class Ratio(Record):
    """The ratio of two medians with its 95 % interval, whose ends are ``None`` where there are too few samples."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def differs(self) -> bool:
        """Whether all of the interval is more than 1 % from 1, in either direction: otherwise no difference was shown.

        The interval is about two loaded models; the same one loaded twice differs by about a percent, by where in
        memory it came to lie.
        """
        return self.is_above(1 + SAME) or self.inverse().is_above(1 + SAME)

    def is_above(self, bound: float) -> bool:
        """Whether all of the interval is."""
        return self.low is not None and self.low > bound

    def inverse(self) -> "Ratio":
        """The ratio seen from the other side: how many times as fast is one over how many times as long."""
        low, high = (None if end is None else 1 / end for end in (self.high, self.low))
        return Ratio(value=1 / self.value, low=low, high=high)


def percentile(samples: ArrayLike, share: float) -> Estimate:
    """The ``share`` quantile (0..1) of a series in its order of time, with the interval of its order statistics."""
    series = np.asarray(samples, np.float64)
    count = len(series)
    value = float(np.quantile(series, share))
    effective = count * effective_share(series <= value)
    ordered = np.sort(series)
    low, high = (_rank_value(ordered, share, confidence, effective) for confidence in (_OUTSIDE, 1 - _OUTSIDE))
    return Estimate(value=value, low=low, high=high)


def mean(samples: ArrayLike) -> Estimate:
    """The mean with the interval of Student's t over as many samples as the series is worth."""
    series = np.asarray(samples, np.float64)
    value = float(series.mean())
    if len(series) < 2:
        return Estimate(value=value)
    effective = max(2.0, len(series) * effective_share(series))
    reach = _student(effective - 1) * float(series.std(ddof=1)) / math.sqrt(effective)
    return Estimate(value=value, low=value - reach, high=value + reach)


def ratio_of_medians(numerator: Sequence[ArrayLike], denominator: Sequence[ArrayLike], *, paired: bool) -> Ratio:
    """The median of all of ``numerator`` over that of ``denominator``.

    Of latencies it is how many times as fast the denominator's program is. Each is a series cut into the rounds it was
    measured in, in their order of time. With ``paired`` both ran in every round. The choice of what the bootstrap draws
    is seeded: the same samples give the same interval.
    """
    rounds = [[np.asarray(part, np.float64) for part in series] for series in (numerator, denominator)]
    above, below = (float(np.median(np.concatenate(series))) for series in rounds)
    counts = [_block_count(series) for series in rounds]
    if paired:
        # Both are cut behind the same rounds, or what is drawn together would not have been measured together.
        counts = [min(counts)] * 2
    if min(counts) < 2:
        return Ratio(value=above / below)
    blocks = [_in_blocks(series, count) for series, count in zip(rounds, counts, strict=True)]
    draws = (_draws(counts[0], 0), _draws(counts[1], 0 if paired else 1))
    resampled = [_resampled_medians(series, drawn) for series, drawn in zip(blocks, draws, strict=True)]
    centre = math.log(above / below)
    logarithms = np.log(resampled[0] / resampled[1])
    # So few blocks make the bootstrap's spread too small by both factors.
    least = min(counts)
    widened = _student(least - 1) / NormalDist().inv_cdf(1 - _OUTSIDE) * math.sqrt(least / max(1, least - 1))
    low, high = np.quantile(logarithms, (_OUTSIDE_RATIO, 1 - _OUTSIDE_RATIO))
    return Ratio(
        value=above / below,
        low=math.exp(centre - widened * max(0.0, centre - float(low))),
        high=math.exp(centre + widened * max(0.0, float(high) - centre)),
    )


def outlier_fence(samples: ArrayLike) -> float:
    """Above it a sample counts as an outlier: Tukey's far fence, three interquartile ranges above the third quartile.

    Outliers are counted and shown, never left out: on a device they are what a user feels.
    """
    low, high = np.quantile(np.asarray(samples, np.float64), (0.25, 0.75))
    return float(high + 3 * (high - low))


def _rank_value(ordered: Floats, share: float, confidence: float, effective: float) -> float | None:
    """The value below which the quantile lies with ``confidence``, were the series worth ``effective`` samples."""
    count = max(1, round(effective))
    below = _binomial_below(count, share)
    # With what chance the quantile lies below the order statistic of each rank 1..count.
    index = int(np.searchsorted(below, confidence))
    if index == 0 or index == count:
        return None
    before, after = below[index - 1], below[index]
    part = (confidence - before) / (after - before)
    # Nyblom's weight, which is right for order statistics where linear interpolation of chances is not.
    left, right = (count - index) * share * part, index * (1 - share) * (1 - part)
    rank = index - 1 + left / (left + right)
    # Ranks of the series that is worth less are spread over the one that there is.
    place = (rank + 0.5) / count * len(ordered) - 0.5
    return float(np.interp(place, np.arange(len(ordered)), ordered))


@lru_cache(maxsize=16)
def _binomial_below(count: int, share: float) -> Floats:
    """P(fewer than k of ``count`` lie below the quantile) for k = 1..count: exact, computed from logarithms."""
    k = np.arange(count)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logarithms = factorials[count] - factorials[k] - factorials[count - k]
    logarithms += k * math.log(share) + (count - k) * math.log1p(-share)
    return np.asarray(np.cumsum(np.exp(logarithms)))


def _block_count(rounds: list[Floats]) -> int:
    """Into how many blocks a series is best cut: some tens, of whole rounds where there are several."""
    samples = sum(len(part) for part in rounds)
    most = samples if len(rounds) == 1 else len(rounds)
    return min(most, _MOST_BLOCKS, max(_FEWEST_BLOCKS, samples // _BLOCK))


def _in_blocks(rounds: list[Floats], count: int) -> list[Floats]:
    series = np.concatenate(rounds)
    ends = np.arange(1, len(series) + 1) if len(rounds) == 1 else np.cumsum([len(part) for part in rounds])
    return np.split(series, ends[np.arange(1, count) * len(ends) // count - 1])


@cache
def _draws(count: int, seed: int) -> Floats:
    """How often each of ``count`` blocks is drawn, for every resample: (resamples, count)."""
    picked = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))
    return np.apply_along_axis(np.bincount, 1, picked, minlength=count).astype(np.float64)


def _resampled_medians(blocks: list[Floats], draws: Floats) -> Floats:
    """The median of every resample, interpolated between some hundred values that the medians lie among."""
    blocks = [np.sort(block) for block in blocks]
    candidates = np.sort(np.concatenate(blocks))
    if len(candidates) > _CANDIDATES:
        # A resample's median lies among those of its blocks.
        medians = [block[len(block) // 2] for block in blocks]
        first, last = np.searchsorted(candidates, (min(medians), max(medians)))
        candidates = candidates[np.unique(np.linspace(max(0, first - 1), last, _CANDIDATES).astype(int))]
    # The middle of the ranks that a candidate takes, so that ties do not pull to one side.
    ranks = [(np.searchsorted(s, candidates, "left") + np.searchsorted(s, candidates, "right")) / 2 for s in blocks]
    table = np.array(ranks).T
    middle = draws @ np.array([len(block) / 2 for block in blocks])
    # The first candidate of which a resample has half its values below: a bisection for all resamples at once.
    before = np.zeros(len(draws), np.int64)
    after = np.full(len(draws), len(candidates) - 1)
    for _ in range(len(candidates).bit_length()):
        half = (before + after) // 2
        is_below = np.einsum("ij,ij->i", draws, table[half]) < middle
        before, after = np.where(is_below, half, before), np.where(is_below, after, half)
    low, high = (np.einsum("ij,ij->i", draws, table[place]) for place in (before, after))
    part = np.clip((middle - low) / np.maximum(high - low, 1e-9), 0, 1)
    return np.asarray(candidates[before] + part * (candidates[after] - candidates[before]))


def _student(degrees: float) -> float:
    """The 97.5 % quantile of Student's t (Hill, "Algorithm 396", 1970, as an expansion around the normal's)."""
    z = NormalDist().inv_cdf(1 - _OUTSIDE)
    n = max(1.0, degrees)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
