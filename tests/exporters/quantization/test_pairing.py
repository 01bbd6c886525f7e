"""Two engines timed in turn: what comes out is their ratio, and an interval that can be relied on."""

from collections.abc import Callable, Mapping
from itertools import chain, cycle

import numpy as np
import pytest
from fake_engine import FakeEngine

import edgevision.exporters.quantization.pairing as pairing
from edgevision.exporters.quantization.pairing import Speedup, measure_speedup
from edgevision.runtime.engines.engine import Array

FEEDS: Mapping[str, Array] = {"x": np.zeros(1, np.float32)}
Timed = Callable[..., FakeEngine]


class Clock:
    """Stands still but for what engines take; it says which of them ran, in order."""

    def __init__(self) -> None:
        self.ns = 0
        self.runs = ""

    def perf_counter_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def engine(self, name: str, *milliseconds: float) -> FakeEngine:
        """One that takes each of ``milliseconds`` in turn, over and over."""
        durations = cycle(milliseconds)

        def run(feeds: Mapping[str, Array]) -> list[Array]:
            assert feeds is FEEDS
            self.ns += round(1e6 * next(durations))
            self.runs += name
            return [feeds["x"]]

        return FakeEngine((), (), run)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The only time that passes is that which engines take."""
    clock = Clock()
    monkeypatch.setattr(pairing, "time", clock)
    return clock


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6, 4.0])
def test_engines_that_differ_by_a_factor_measure_as_that_factor(clock: Clock, factor: float) -> None:
    found = measure_speedup(clock.engine("a", 8), clock.engine("b", 8 / factor), FEEDS, seconds=0.5)
    assert found.low == found.ratio == found.high == pytest.approx(factor)
    assert (found.before_ms, found.after_ms) == pytest.approx((8, 8 / factor))


def test_both_are_warmed_up_and_then_run_once_a_round_in_alternating_order(clock: Clock) -> None:
    found = measure_speedup(clock.engine("a", 8), clock.engine("b", 4), FEEDS, seconds=0)
    assert found.rounds == 11
    assert clock.runs == "aabb" + "".join("ba" if index % 2 else "ab" for index in range(11))


def test_it_goes_on_for_the_seconds_that_are_given(clock: Clock) -> None:
    found = measure_speedup(clock.engine("a", 8), clock.engine("b", 2), FEEDS, seconds=0.5)
    # The round that is under way is finished.
    assert found.rounds == 50


def test_it_ends_after_401_rounds_of_something_quick(clock: Clock) -> None:
    assert measure_speedup(clock.engine("a", 0.02), clock.engine("b", 0.01), FEEDS, seconds=60).rounds == 401


def test_a_slow_phase_of_the_machine_hits_both_alike(clock: Clock) -> None:
    # Each runs once a round: the same rounds are slow for both, the first two of each are the warm-up.
    slow = [1.0] * 7 + [30.0] * 5 + [1.0] * 5
    before, after = ([took * factor for factor in slow] for took in (6, 3))
    found = measure_speedup(clock.engine("a", *before), clock.engine("b", *after), FEEDS, seconds=0)
    assert (found.low, found.ratio, found.high) == pytest.approx((2, 2, 2))


def test_a_few_disturbed_runs_move_neither_the_ratio_nor_its_interval(clock: Clock) -> None:
    disturbed = chain([6.0] * 20, [600.0], [6.0] * 29)
    found = measure_speedup(clock.engine("a", *disturbed), clock.engine("b", 3), FEEDS, seconds=0.3)
    assert found.rounds >= 19
    assert (found.low, found.ratio, found.high) == pytest.approx((2, 2, 2))


def test_the_interval_is_of_the_rounds_own_ratios(clock: Clock) -> None:
    # The warm-up takes the first two; then the ratios are 1 to 11. Of eleven values the second and the tenth enclose
    # the median with 98.8 %, the third and the ninth with 93.5 %.
    durations = [1.0, 1.0, 7, 2, 10, 4, 6, 1, 9, 3, 11, 5, 8]
    found = measure_speedup(clock.engine("a", *durations), clock.engine("b", 1), FEEDS, seconds=0)
    assert 2 < found.low < 3
    assert found.ratio == 6
    assert 9 < found.high < 10
    assert (found.before_ms, found.after_ms) == (6, 1)


def test_it_goes_to_json_and_back() -> None:
    speedup = Speedup(ratio=1.5, low=1.4, high=1.6, before_ms=3.0, after_ms=2.0, rounds=11)
    assert Speedup.from_dict(speedup.to_dict()) == speedup


def test_the_interval_covers_the_truth_in_95_percent_of_simulated_measurements(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    factor, covered = 1.5, []
    for _ in range(200):
        # Times have a long tail to one side; of equal distributions the true median of the ratios is one.
        times = np.exp(0.2 * generator.standard_normal((2, 60))) + generator.exponential(0.3, (2, 60))
        before, after = (clock.engine(name, *row) for name, row in zip("ab", times * [[factor], [1]], strict=True))
        found = measure_speedup(before, after, FEEDS, seconds=0.12)
        assert 20 < found.rounds < 58
        covered.append(found.low <= factor <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.99
