"""Models that take turns: one time for each, from which all ratios follow, whatever the machine does meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle

import numpy as np
import pytest
from fake_engine import FakeEngine

import edgevision.exporters.quantization.turns as turns
from edgevision.exporters.quantization.turns import Turns
from edgevision.runtime.engines.engine import Array

FEEDS: Mapping[str, Array] = {"x": np.zeros(1, np.float32)}


class Clock:
    """Stands still but for what engines take; ``slowness`` of the machine is asked for at every run."""

    def __init__(self) -> None:
        self.ns = 0
        self.runs = ""
        self.slowness: Callable[[], float] = lambda: 1.0

    def perf_counter_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def engines(self, **milliseconds: float | list[float]) -> dict[str, FakeEngine]:
        """One for each name, that takes so long, or each of several times over and over."""

        def engine(name: str, times: Iterator[float]) -> FakeEngine:
            def run(feeds: Mapping[str, Array]) -> list[Array]:
                self.ns += round(1e6 * next(times) * self.slowness())
                self.runs += name
                return [feeds["x"]]

            return FakeEngine((), (), run)

        return {n: engine(n, cycle(t if isinstance(t, list) else [t])) for n, t in milliseconds.items()}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def test_every_model_has_one_time_and_ratios_are_their_quotients(clock: Clock) -> None:
    measured = Turns(clock.engines(a=8, b=4, c=5), FEEDS)
    measured.measure(0.3)
    assert [measured.milliseconds(name) for name in "abc"] == pytest.approx([8, 4, 5])
    for one in "abc":
        for other in "abc":
            found = measured.speedup(one, other)
            assert found.ratio == found.before_ms / found.after_ms
            assert (found.before_ms, found.after_ms) == (measured.milliseconds(other), measured.milliseconds(one))
            assert found.low <= found.ratio <= found.high


def test_every_model_runs_once_a_round_in_an_order_that_changes(clock: Clock) -> None:
    measured = Turns(clock.engines(a=8, b=4, c=5), FEEDS)
    clock.runs = ""
    measured.measure(0)
    rounds = [clock.runs[start : start + 3] for start in range(0, len(clock.runs), 3)]
    assert len(rounds) == measured.speedup("a", "b").rounds == 11
    assert {"".join(sorted(one)) for one in rounds} == {"abc"}
    assert len(set(rounds)) > 3


def test_something_quick_runs_several_times_a_turn_behind_one_that_is_not_counted(clock: Clock) -> None:
    measured = Turns(clock.engines(a=0.5, b=4), FEEDS)
    clock.runs = ""
    measured.measure(0)
    assert clock.runs.count("a") == 5 * clock.runs.count("b")
    assert measured.milliseconds("a") == pytest.approx(0.5)


def test_more_can_be_measured_where_it_shows_too_little(clock: Clock) -> None:
    measured = Turns(clock.engines(a=6, b=4), FEEDS)
    measured.measure(0.195)
    measured.measure(0.195)
    assert measured.speedup("a", "b").rounds == 40


def test_a_machine_that_is_slow_for_a_while_changes_no_ratio(clock: Clock) -> None:
    # At first four times as slow: the median of one model would be of that time, that of another of the later.
    clock.slowness = lambda: 4.0 if clock.ns < 500e6 else 1.0
    measured = Turns(clock.engines(a=6, b=3, c=5.9), FEEDS)
    measured.measure(1)
    found = measured.speedup("b", "a")
    assert (found.low, found.ratio, found.high) == pytest.approx((2, 2, 2), rel=0.02)
    assert measured.speedup("c", "a").ratio == pytest.approx(6 / 5.9, rel=0.02)


def test_two_that_are_alike_are_not_told_apart_and_two_that_differ_are(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    told = []
    for _ in range(40):
        clock.slowness = lambda: float(np.exp(0.05 * generator.standard_normal()))
        measured = Turns(clock.engines(a=6, b=6, c=5), FEEDS)
        measured.measure(0.5)
        alike, faster = measured.speedup("b", "a"), measured.speedup("c", "a")
        told.append(not alike.low <= 1 <= alike.high)
        assert faster.low > 1
    assert np.mean(told) <= 0.125
