"""The warm-up ends when nothing changes any more, or when its time is over."""

from itertools import chain, repeat

import pytest

import edgevision.runtime.benchmark.steady as steady
from edgevision.runtime.benchmark.steady import warm_up


class Clock:
    """Stands still but for the runs."""

    def __init__(self) -> None:
        self.ns = 0

    def perf_counter_ns(self) -> int:
        return self.ns

    def run(self, milliseconds):
        durations = iter(milliseconds)

        def once() -> None:
            self.ns += round(1e6 * next(durations))

        return once


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(steady, "time", clock)
    return clock


def test_three_windows_alike_are_steady(clock):
    found = warm_up(clock.run(repeat(10)), seconds=60)
    assert found.steady
    assert found.runs == 9
    assert found.seconds == pytest.approx(0.09)


def test_what_becomes_faster_is_waited_for(clock):
    found = warm_up(clock.run(chain([100, 80, 60, 50, 45], repeat(40))), seconds=60)
    assert found.steady
    assert found.runs == 5 + 3


def test_one_run_is_a_window_where_it_takes_long(clock):
    assert warm_up(clock.run(repeat(500)), seconds=60).runs == 3


def test_what_never_becomes_steady_is_left_when_the_time_is_over(clock):
    found = warm_up(clock.run(50 + 100 * (index % 2) for index in range(1000)), seconds=2)
    assert not found.steady
    assert 2 <= found.seconds <= 2.2


def test_without_time_nothing_runs(clock):
    found = warm_up(clock.run([]), seconds=0)
    assert (found.runs, found.seconds, found.steady) == (0, 0, False)
