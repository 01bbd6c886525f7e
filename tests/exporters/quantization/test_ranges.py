"""Ranges chosen from a histogram."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.exporters.quantization.observations import BINS, Histogram
from edgevision.exporters.quantization.ranges import RangeMethod, choose_range
from edgevision.exporters.quantization.targets import TARGETS

Array = np.ndarray[Any, Any]


def histogram_of(values: Array) -> Histogram:
    low, high = float(values.min()), float(values.max())
    return Histogram(low, high, np.histogram(values, BINS, (low, high))[0])


def squared_error(values: Array, span: tuple[float, float]) -> float:
    """What rounding ``values`` to 8 bits over ``span`` costs on average."""
    scale, zero = TARGETS["x86-vnni"].activation_scale(*span)
    quantized = np.rint(values / scale + zero).clip(0, 255)
    return float(np.mean((values - (quantized - zero) * scale) ** 2))


def heavy_tailed(seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_t(3, 100_000)


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    """Of anything: one-sided or not, far from zero or not, most bins empty or not."""
    low = draw(st.floats(-1e6, 1e6, width=32))
    span = draw(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)))
    counts = draw(st.lists(st.sampled_from([0, 0, 1, 7, 10**6]), min_size=16, max_size=16)) if span else [0] * 16
    return Histogram(low, low + span, np.array(counts))


@pytest.mark.parametrize("method", RangeMethod)
@given(histogram=histograms())
@settings(deadline=None, max_examples=12)
def test_every_range_holds_zero_and_nothing_that_was_never_seen(method: RangeMethod, histogram: Histogram) -> None:
    low, high = choose_range(histogram, method)
    assert min(histogram.low, 0) <= low <= 0 <= high <= max(histogram.high, 0)


@given(histogram=histograms())
@settings(deadline=None, max_examples=12)
def test_minmax_is_all_that_was_seen(histogram: Histogram) -> None:
    assert choose_range(histogram, RangeMethod.MINMAX) == (min(histogram.low, 0), max(histogram.high, 0))


@pytest.mark.parametrize("method", RangeMethod)
@pytest.mark.parametrize("value", [0.0, 3.5, -1e-30])
def test_of_a_constant_it_reaches_from_zero_to_there(method: RangeMethod, value: float) -> None:
    histogram = Histogram(value, value, np.zeros(BINS, np.int64))
    assert choose_range(histogram, method) == (min(value, 0), max(value, 0))


@pytest.mark.parametrize("seed", range(3))
def test_mse_clips_a_heavy_tail_and_errs_less_than_minmax(seed: int) -> None:
    values = heavy_tailed(seed)
    histogram = histogram_of(values)
    spans = {method: choose_range(histogram, method) for method in RangeMethod}
    errors = {method: squared_error(values, span) for method, span in spans.items()}
    assert errors[RangeMethod.MSE] < 0.9 * errors[RangeMethod.MINMAX]
    assert errors[RangeMethod.MSE] == min(errors.values())


@pytest.mark.parametrize("method", [RangeMethod.PERCENTILE, RangeMethod.MSE, RangeMethod.ENTROPY])
def test_values_spread_evenly_are_kept_nearly_all(method: RangeMethod) -> None:
    values = np.random.default_rng(0).uniform(-1, 2, 100_000)
    low, high = choose_range(histogram_of(values), method)
    assert low < -0.94
    assert high > 1.88


@pytest.mark.parametrize("method", [RangeMethod.PERCENTILE, RangeMethod.MSE, RangeMethod.ENTROPY])
def test_one_value_far_away_is_given_up_for_all_the_others(method: RangeMethod) -> None:
    values = np.append(np.abs(np.random.default_rng(0).standard_normal(100_000)), 30)
    histogram = histogram_of(values)
    # As if of so many more.
    counts = np.where(np.arange(BINS) < BINS - 1, 1000 * histogram.counts, histogram.counts)
    low, high = choose_range(replace(histogram, counts=counts), method)
    assert low == 0
    assert 3 < high < 16


def test_the_percentile_leaves_out_a_ten_thousandth_at_both_ends_together() -> None:
    values = heavy_tailed()
    low, high = choose_range(histogram_of(values), RangeMethod.PERCENTILE)
    outside = np.mean((values < low) | (values > high))
    assert 0.5e-4 < outside <= 1.5e-4
    assert np.mean(values > high) == pytest.approx(np.mean(values < low), abs=0.5e-4)


def test_zeros_of_an_activation_do_not_narrow_its_range() -> None:
    positive = np.abs(np.random.default_rng(0).standard_normal(20_000))
    with_zeros = np.concatenate([positive, np.zeros(200_000)])
    # Neither the divergence nor the squared error of the others changes by what is exact anyway.
    for method in (RangeMethod.ENTROPY, RangeMethod.MSE):
        alone = choose_range(histogram_of(positive), method)[1]
        assert choose_range(histogram_of(with_zeros), method)[1] == pytest.approx(alone, rel=0.25)
