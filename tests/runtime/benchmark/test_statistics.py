"""On streams whose truth is known, intervals cover it as often as they say, and only what differs is told apart."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edgevision.runtime.benchmark.autocorrelation import effective_share
from edgevision.runtime.benchmark.statistics import (
    Estimate,
    Ratio,
    mean,
    outlier_fence,
    percentile,
    ratio_of_medians,
)

Floats = NDArray[np.float64]
TRIALS = 1000


def lognormal(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.3 * generator.standard_normal(shape))


def gamma(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Sums of two exponential waits, for the quantiles of which there is a formula to invert."""
    return 1 + 0.3 * generator.exponential(size=(2, *shape)).sum(axis=0)


def bimodal(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Seven of ten between 1.00 and 1.07, the others between 1.5 and 1.8."""
    share = generator.random(shape)
    return np.where(share < 0.7, 1 + 0.1 * share, 1.5 + (share - 0.7))


def correlated(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """The lognormal with neighbours that are alike, correlation 0.5."""
    noise = generator.standard_normal(shape)
    for index in range(1, shape[1]):
        noise[:, index] = 0.5 * noise[:, index - 1] + math.sqrt(0.75) * noise[:, index]
    return np.exp(0.3 * noise)


def gamma_quantile(share: float) -> float:
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - math.exp(-middle) * (1 + middle) < share else (low, middle)
    return 1 + 0.3 * low


def bimodal_quantile(share: float) -> float:
    return 1 + 0.1 * share if share < 0.7 else 0.8 + share


def lognormal_quantile(share: float) -> float:
    return math.exp(0.3 * NormalDist().inv_cdf(share))


STREAMS = {
    "lognormal": (lognormal, lognormal_quantile),
    "gamma": (gamma, gamma_quantile),
    "bimodal": (bimodal, bimodal_quantile),
}


def covers(estimate: Estimate, truth: float) -> bool:
    low = -math.inf if estimate.low is None else estimate.low
    high = math.inf if estimate.high is None else estimate.high
    return low <= truth <= high


@pytest.mark.parametrize(("name", "count"), [("lognormal", 250), ("gamma", 1000), ("bimodal", 500)])
def test_95_percent_intervals_of_percentiles_cover_the_truth_in_93_to_97_percent(name: str, count: int) -> None:
    draw, quantile = STREAMS[name]
    streams = draw(np.random.default_rng(count), (TRIALS, count))
    for share in (0.5, 0.9, 0.95):
        covered = [covers(percentile(stream, share), quantile(share)) for stream in streams]
        assert 0.93 <= np.mean(covered) <= 0.97, share


def test_so_do_they_where_neighbours_are_alike() -> None:
    streams = correlated(np.random.default_rng(2), (TRIALS, 1500))
    for share in (0.5, 0.9):
        covered = [covers(percentile(stream, share), lognormal_quantile(share)) for stream in streams]
        assert 0.93 <= np.mean(covered) <= 0.97, share


def test_so_do_those_of_the_mean() -> None:
    streams = gamma(np.random.default_rng(3), (TRIALS, 300))
    covered = [covers(mean(stream), 1.6) for stream in streams]
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("draw", [lognormal, bimodal, correlated])
def test_the_intervals_of_two_identical_programs_exclude_1_in_at_most_5_percent(
    draw: Callable[[np.random.Generator, tuple[int, int]], Floats],
) -> None:
    generator = np.random.default_rng(4)
    streams = draw(generator, (TRIALS, 400)), draw(generator, (TRIALS, 400))
    ratios = [ratio_of_medians([a], [b], paired=False) for a, b in zip(*streams, strict=True)]
    assert np.mean([ratio.differs for ratio in ratios]) <= 0.05
    assert 0.93 <= np.mean([ratio.low <= 1 <= ratio.high for ratio in ratios]) <= 0.985


def test_so_do_those_that_were_interleaved_on_a_machine_that_drifts() -> None:
    generator = np.random.default_rng(5)
    shape = (TRIALS // 2, 400)
    drift = np.exp(np.cumsum(generator.normal(0, 0.02, shape), axis=1))
    streams = lognormal(generator, shape) * drift, lognormal(generator, shape) * drift
    excluded = [
        ratio_of_medians(a.reshape(-1, 5), b.reshape(-1, 5), paired=True).differs for a, b in zip(*streams, strict=True)
    ]
    assert np.mean(excluded) <= 0.05


def test_a_slowdown_of_5_percent_is_found() -> None:
    generator = np.random.default_rng(6)
    # Latencies of a quiet machine: within some percent, with a tail.
    before, after = (1 + 0.03 * generator.exponential(size=(2, TRIALS // 5, 400)).sum(axis=0) for _ in range(2))
    found = [ratio_of_medians([1.05 * b], [a], paired=False) for a, b in zip(before, after, strict=True)]
    assert np.mean([ratio.low > 1 for ratio in found]) >= 0.99
    assert np.mean([ratio.low <= 1.05 <= ratio.high for ratio in found]) >= 0.93


def test_a_drift_that_would_hide_a_slowdown_of_5_percent_does_not_where_both_were_interleaved() -> None:
    generator = np.random.default_rng(7)
    drift = np.linspace(1, 1.5, 2000)
    before, after = (drift * (1 + 0.03 * generator.exponential(size=2000)) for _ in range(2))
    ratio = ratio_of_medians(1.05 * after.reshape(-1, 10), before.reshape(-1, 10), paired=True)
    assert 1.03 < ratio.low < 1.05 < ratio.high < 1.07
    unpaired = ratio_of_medians([1.05 * after], [before], paired=False)
    assert not unpaired.differs


def test_a_program_that_takes_twice_as_long_has_the_ratio_two() -> None:
    samples = np.random.default_rng(8).gamma(3, size=500)
    for paired in (True, False):
        ratio = ratio_of_medians([2 * samples], [samples], paired=paired)
        assert ratio.value == pytest.approx(2)
        assert ratio.low <= 2 <= ratio.high
        assert ratio.differs


@pytest.mark.parametrize("factor", [1.0, 1.005, 1.02, 1.5])
def test_seen_from_the_other_side_a_ratio_is_its_inverse_and_says_the_same(factor: float) -> None:
    first, second = np.random.default_rng(8).normal(1, 0.01, (2, 100, 5))
    ratio, other = (
        ratio_of_medians(*pair, paired=True) for pair in ((first, factor * second), (factor * second, first))
    )
    inverse = ratio.inverse()
    assert (inverse.value, inverse.low, inverse.high) == pytest.approx((other.value, other.low, other.high), rel=1e-3)
    assert ratio.differs == inverse.differs == (factor > 1.01)
    assert inverse.inverse().value == pytest.approx(ratio.value)
    assert Ratio(value=4.0).inverse() == Ratio(value=0.25)


def test_the_same_samples_give_the_same_interval() -> None:
    first, second = np.random.default_rng(9).gamma(3, size=(2, 300))
    assert ratio_of_medians([first], [second], paired=False) == ratio_of_medians([first], [second], paired=False)


def test_few_samples_leave_an_end_open_instead_of_guessing() -> None:
    assert percentile([1.0, 2.0, 3.0], 0.5) == Estimate(value=2.0)
    tail = percentile(np.random.default_rng(0).permutation(100), 0.99)
    assert tail.low is not None
    assert tail.high is None
    assert tail.relative_width == math.inf
    assert mean([5.0]) == Estimate(value=5.0)


def test_the_interval_of_the_median_is_that_of_the_binomial_distribution() -> None:
    # Of 100 values the ranks 40 and 61 enclose the median with 96.5 %, 41 and 60 with 94.3 %.
    found = percentile(np.random.default_rng(1).permutation(np.arange(1.0, 101)), 0.5)
    assert found.value == 50.5
    assert found.low is not None
    assert found.high is not None
    assert 40 < found.low < 41
    assert 60 < found.high < 61
    assert found.relative_width == pytest.approx((found.high - found.low) / 101)


def test_independent_samples_are_worth_what_they_are() -> None:
    shares = [effective_share(stream) for stream in np.random.default_rng(10).normal(size=(300, 500))]
    assert np.mean(np.array(shares) == 1) > 0.98


def test_samples_that_repeat_are_worth_as_many_as_are_different() -> None:
    fresh = np.random.default_rng(11).normal(size=500)
    assert effective_share(np.repeat(fresh, 4)) == pytest.approx(1 / 4, rel=0.3)


def test_a_drift_leaves_few_samples_worth_something() -> None:
    generator = np.random.default_rng(12)
    assert effective_share(generator.normal(size=5000) + np.linspace(0, 2, 5000)) < 0.1


def test_samples_that_are_all_alike_are_no_error() -> None:
    assert effective_share(np.ones(100)) == 1
    assert percentile(np.full(100, 3.0), 0.9) == Estimate(value=3.0, low=3.0, high=3.0)
    ratio = ratio_of_medians([np.ones(100)], [np.ones(100)], paired=False)
    assert (ratio.low, ratio.value, ratio.high) == (1, 1, 1)
    assert not ratio.differs


def test_the_fence_is_three_interquartile_ranges_above_the_third_quartile() -> None:
    assert outlier_fence(np.arange(101)) == 75 + 3 * 50


@given(
    arrays.arrays(np.float64, st.integers(1, 120), elements=st.floats(1e-4, 1e5)),
    arrays.arrays(np.float64, st.integers(1, 120), elements=st.floats(1e-4, 1e5)),
    st.floats(0.01, 0.99),
)
def test_whatever_was_measured_the_figures_lie_within_it(first: Floats, second: Floats, share: float) -> None:
    found = percentile(first, share)
    for end in (found.low, found.value, found.high):
        assert end is None or first.min() - 1e-9 <= end <= first.max() * (1 + 1e-9)
    if found.low is not None and found.high is not None:
        assert found.low <= found.high
    ratio = ratio_of_medians([first], [second], paired=False)
    if min(len(first), len(second)) < 2:
        assert ratio.low is ratio.high is None
        assert not ratio.differs
        assert not ratio.is_above(0)
    else:
        assert ratio.low is not None
        assert ratio.high is not None
        assert 0 < ratio.low <= ratio.value * (1 + 1e-9)
        assert ratio.value <= ratio.high * (1 + 1e-9)
        assert math.isfinite(ratio.high)


def test_what_slows_both_cancels_out_though_their_rounds_are_of_different_lengths() -> None:
    generator = np.random.default_rng(21)
    drift = 1 + 0.3 * np.sin(np.linspace(0, 6, 100))

    def rounds(samples: int, factor: float) -> list[Floats]:
        return [factor * slow * generator.normal(1, 0.01, samples) for slow in drift]

    ratio = ratio_of_medians(rounds(4, 1.05), rounds(5, 1.0), paired=True)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.high - ratio.low < 0.04
    assert ratio.low < 1.05 < ratio.high
    assert ratio.differs


def test_a_ratio_is_no_difference_where_its_interval_holds_one_or_nearly() -> None:
    assert not Ratio(value=1.01, low=0.99, high=1.03).differs
    assert not Ratio(value=1.01, low=1.005, high=1.015).differs
    assert not Ratio(value=0.993, low=0.992, high=0.994).differs
    assert Ratio(value=1.05, low=1.02, high=1.08).differs
    assert Ratio(value=0.9, low=0.85, high=0.95).differs
