"""The one way in which calls are timed: warmed up until they are steady, interleaved, compared round by round."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, cycle, repeat
from typing import Any

import numpy as np
import pytest

import edgevision.runtime.benchmark.timing as timing
from edgevision.runtime.benchmark.timing import Call, InterleavedTimer, Speedup, inferences_by_turns, warm_up

WARM_UP_RUNS = 3


class Clock:
    """Stands still but for what calls take; ``slowness`` of the machine is asked for at every run."""

    def __init__(self) -> None:
        self.ns = 0
        self.runs = ""
        self.slowness: Callable[[], float] = lambda: 1.0

    def perf_counter_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def call(self, milliseconds: Iterable[float], name: str = "") -> Call:
        """One that takes the next of ``milliseconds`` at each run."""
        times = iter(milliseconds)

        def run() -> None:
            self.ns += round(1e6 * next(times) * self.slowness())
            self.runs += name

        return run

    def calls(self, **milliseconds: float | list[float]) -> dict[str, Call]:
        """One for each name, that takes so long, or each of several times over and over."""
        several = {name: took if isinstance(took, list) else [took] for name, took in milliseconds.items()}
        return {name: self.call(cycle(times), name) for name, times in several.items()}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The only time that passes is that which calls take."""
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def measured(calls: dict[str, Call], seconds: float) -> InterleavedTimer[str]:
    timer = InterleavedTimer(calls)
    timer.measure(seconds)
    return timer


def after_warm_up(durations: list[float]) -> Iterator[float]:
    return chain([durations[0]] * WARM_UP_RUNS, durations)


def test_three_windows_alike_are_steady(clock: Clock) -> None:
    found = warm_up(clock.call(repeat(10)), seconds=60)
    assert found.steady
    assert found.runs == 9
    assert found.seconds == pytest.approx(0.09)


def test_what_becomes_faster_is_waited_for(clock: Clock) -> None:
    found = warm_up(clock.call(chain([100, 80, 60, 50, 45], repeat(40))), seconds=60)
    assert found.steady
    assert found.runs == 5 + 3


def test_one_run_is_a_window_where_it_takes_long(clock: Clock) -> None:
    assert warm_up(clock.call(repeat(500)), seconds=60).runs == 3


def test_what_never_becomes_steady_is_left_when_the_time_is_over(clock: Clock) -> None:
    found = warm_up(clock.call(50 + 100 * (index % 2) for index in range(1000)), seconds=2)
    assert not found.steady
    assert 2 <= found.seconds <= 2.2


def test_without_time_nothing_runs(clock: Clock) -> None:
    found = warm_up(clock.call([]), seconds=0)
    assert (found.runs, found.seconds, found.steady) == (0, 0, False)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6, 4.0])
def test_calls_that_differ_by_a_factor_measure_as_that_factor(clock: Clock, factor: float) -> None:
    timer = measured(clock.calls(a=8, b=8 / factor), 0.5)
    ratio, found = timer.ratio("b", over="a"), timer.speedup("b", over="a")
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((factor, factor, factor))
    # In another process it may be three hundredths less or more.
    assert (found.low, found.ratio, found.high) == pytest.approx((factor / 1.0305, factor, factor * 1.0305), rel=0.001)
    assert (found.before_ms, found.after_ms) == pytest.approx((8, 8 / factor))


def test_every_call_has_one_time_and_ratios_are_their_quotients(clock: Clock) -> None:
    timer = measured(clock.calls(a=8, b=4, c=5), 0.3)
    assert [timer.milliseconds(name) for name in "abc"] == pytest.approx([8, 4, 5])
    for one in "abc":
        for other in "abc":
            found = timer.speedup(one, over=other)
            assert found.ratio == found.before_ms / found.after_ms
            assert (found.before_ms, found.after_ms) == (timer.milliseconds(other), timer.milliseconds(one))
            assert found.low <= found.ratio <= found.high


def test_a_latency_is_the_time_that_ratios_are_made_of_with_its_interval(clock: Clock) -> None:
    timer = measured(clock.calls(a=[7, 8, 9, 8, 7, 9], b=4), 1)
    found = timer.latency("a")
    assert found.value == timer.milliseconds("a")
    assert timer.speedup("a", over="b").after_ms == found.value
    assert found.low is not None
    assert found.high is not None
    assert 7 <= found.low <= found.value <= found.high <= 9


def test_all_are_warmed_up_and_then_run_once_a_round_in_an_order_that_changes(clock: Clock) -> None:
    timer = measured(clock.calls(a=8, b=4, c=5), 0)
    warm, runs = clock.runs[: 3 * WARM_UP_RUNS], clock.runs[3 * WARM_UP_RUNS :]
    assert warm == "aaabbbccc"
    rounds = [runs[start : start + 3] for start in range(0, len(runs), 3)]
    assert len(rounds) == timer.rounds == timer.speedup("a", over="b").rounds == 11
    assert {"".join(sorted(one)) for one in rounds} == {"abc"}
    assert len(set(rounds)) > 3


def test_no_call_goes_first_or_follows_the_same_one_more_often_than_chance(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=8, b=4, c=5))
    clock.runs = ""
    timer.measure(60, most=300)
    rounds = [clock.runs[start : start + 3] for start in range(0, len(clock.runs), 3)]
    # Of 300 throws, 100 are expected and fewer than 70 or more than 130 once in ten thousand times.
    assert all(70 < sum(one[place] == name for one in rounds) < 130 for place in range(3) for name in "abc")


def test_something_quick_runs_several_times_a_round_behind_one_that_is_not_timed(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=0.5, b=4))
    clock.runs = ""
    timer.measure(0)
    assert clock.runs.count("a") == 5 * clock.runs.count("b")
    assert timer.timed["a"].rounds == [4] * 11
    assert timer.milliseconds("a") == pytest.approx(0.5)


def test_a_call_alone_has_nothing_to_come_back_from(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=0.5), fewest=40, rewarm_ms=5)
    clock.runs = ""
    timer.measure(0)
    assert len(clock.runs) == len(timer.timed["a"].durations) == 11 * 4


def test_blocks_begin_with_as_long_a_return_as_asked_for_and_are_as_long_as_asked_for(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=1, b=60), block_ms=50, fewest=4, rewarm_ms=5)
    clock.runs = ""
    timer.run_round()
    assert (clock.runs.count("a"), clock.runs.count("b")) == (5 + 50, 1 + 4)
    assert (timer.timed["a"].rounds, timer.timed["b"].rounds) == ([50], [4])


def test_every_timed_run_is_kept_with_its_beginning(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=[1, 3, 1, 9], b=2), block_ms=4)
    begin = clock.ns
    for _ in range(3):
        timer.run_round()
    for timed in timer.timed.values():
        starts, durations = np.array(timed.starts), np.array(timed.durations)
        assert len(starts) == len(durations) == sum(timed.rounds)
        assert begin <= starts[0]
        assert (starts[1:] >= starts[:-1] + durations[:-1]).all()
        assert timed.total_ns == durations.sum()
        assert np.concatenate(timed.in_rounds()).tolist() == timed.milliseconds().tolist()
        assert timed.round_means().tolist() == [np.mean(part) for part in timed.in_rounds()]
    assert max(timer.timed["a"].milliseconds()) == 9


class SharedCore(Clock):
    """Taken away for 30 ms whenever 3 ms were computed."""

    computed = 0

    def call(self, milliseconds: Iterable[float], name: str = "") -> Call:
        times = iter(milliseconds)

        def run() -> None:
            took = round(1e6 * next(times))
            self.ns += took + 30_000_000 * ((self.computed + took) // 3_000_000 - self.computed // 3_000_000)
            self.computed += took

        return run


@pytest.mark.parametrize(("long", "short"), [(1.9, 0.86), (3.42, 1.56), (6.57, 2.75), (40.0, 13.0)])
def test_a_shared_core_shifts_no_ratio(monkeypatch: pytest.MonkeyPatch, long: float, short: float) -> None:
    """Also where one call fits in between two interruptions, and the other does not."""
    core = SharedCore()
    monkeypatch.setattr(timing, "time", core)
    timer = InterleavedTimer(core.calls(long=long, short=short), block_ms=6)
    for _ in range(101):
        timer.run_round()
    assert timer.speedup("short", over="long").ratio == pytest.approx(long / short, rel=0.2)


def test_one_thread_is_timed_by_what_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [timing.Clock.of_inference(threads) for threads in (None, 2)] == [timing.Clock.WALL] * 2
    assert timing.Clock.of_inference(1) is (timing.Clock.WALL if timing.sys.platform == "win32" else timing.Clock.CPU)
    monkeypatch.setattr(timing.sys, "platform", "win32")
    assert timing.Clock.of_inference(1) is timing.Clock.WALL
    before = timing.Clock.CPU(), timing.Clock.WALL()
    timing.time.sleep(0.1)
    assert timing.Clock.CPU() - before[0] < 50_000_000 <= timing.Clock.WALL() - before[1]


def test_blocks_are_long_also_where_something_interrupted_the_first_runs(clock: Clock) -> None:
    timer = InterleavedTimer({"a": clock.call(chain([1.5] * 3, repeat(0.25))), "b": clock.call(repeat(8))})
    timer.run_round()
    assert len(timer.timed["a"].durations) == 8


def test_it_goes_on_for_the_seconds_that_are_given(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=8, b=2))
    timer.measure(0.495)
    # Another round would end too late.
    assert timer.rounds == 49


def test_it_ends_after_401_rounds_of_something_quick(clock: Clock) -> None:
    assert measured(clock.calls(a=0.02, b=0.01), 60).rounds == 401


def test_more_can_be_measured_where_it_shows_too_little(clock: Clock) -> None:
    timer = InterleavedTimer(clock.calls(a=6, b=4))
    timer.measure(0.195)
    timer.measure(0.195)
    assert timer.speedup("a", over="b").rounds == 38


def test_another_clock_is_the_only_one_that_counts(clock: Clock) -> None:
    own = iter(range(0, 10**12, 7_000_000))
    timer = InterleavedTimer(clock.calls(a=8, b=2), clock=lambda: next(own))
    timer.measure(0)
    assert timer.milliseconds("a") == timer.milliseconds("b") == pytest.approx(7)


def test_a_slow_phase_of_the_machine_hits_all_alike(clock: Clock) -> None:
    slow = [1.0] * 5 + [30.0] * 5 + [1.0] * 5
    calls = {name: clock.call(after_warm_up([took * factor for factor in slow])) for name, took in (("a", 6), ("b", 3))}
    found = measured(calls, 0).ratio("b", over="a")
    assert (found.low, found.value, found.high) == pytest.approx((2, 2, 2))


def test_a_machine_that_is_slow_for_a_while_changes_no_ratio(clock: Clock) -> None:
    # At first four times as slow: the median of one call would be of that time, that of another of the later.
    generator = np.random.default_rng(0)
    clock.slowness = lambda: (4.0 if clock.ns < 500e6 else 1.0) * generator.normal(1, 0.001)
    timer = measured(clock.calls(a=6, b=3, c=5.9), 1)
    found = timer.ratio("b", over="a")
    assert (found.low, found.value, found.high) == pytest.approx((2, 2, 2), rel=0.02)
    assert timer.ratio("c", over="a").value == pytest.approx(6 / 5.9, rel=0.02)


def test_a_few_disturbed_runs_move_neither_the_ratio_nor_its_interval(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    clock.slowness = lambda: generator.normal(1, 0.001)
    disturbed = [6.0] * 20 + [600.0] + [6.0] * 29
    timer = measured(clock.calls(a=disturbed, b=3), 1.0)
    found = timer.ratio("b", over="a")
    assert timer.rounds >= 40
    assert (found.low, found.value, found.high) == pytest.approx((2, 2, 2), rel=0.002)


def test_of_two_calls_the_ratio_is_the_median_of_the_rounds_own(clock: Clock) -> None:
    # The ratios are 1 to 11; of eleven values the first and the last enclose the median with 99.9 %.
    durations = [7.0, 2, 10, 4, 6, 1, 9, 3, 11, 5, 8]
    calls = {"a": clock.call(after_warm_up(durations)), "b": clock.call(repeat(2))}
    found = measured(calls, 0).speedup("b", over="a")
    assert found.ratio == pytest.approx(6 / 2)
    assert 1 / 2 < found.low < 4 / 2
    assert 8 / 2 < found.high < 11 * 1.1 / 2


def test_the_interval_of_two_that_are_alike_holds_1_and_of_two_that_differ_does_not(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    excluded = []
    for _ in range(40):
        clock.slowness = lambda: float(np.exp(0.05 * generator.standard_normal()))
        timer = measured(clock.calls(a=6, b=6, c=5), 0.5)
        alike, faster = timer.ratio("b", over="a"), timer.ratio("c", over="a")
        excluded.append(not alike.low <= 1 <= alike.high)
        assert faster.low > 1
    assert np.mean(excluded) <= 0.125


def test_the_interval_covers_the_truth_in_95_percent_of_simulated_measurements(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    factor, covered = 1.5, []
    for _ in range(200):
        # Times have a long tail to one side; of equal distributions the true median of the ratios is one.
        times = 2 * (np.exp(0.2 * generator.standard_normal((2, 60))) + generator.exponential(0.3, (2, 60)))
        calls = {name: clock.call(row) for name, row in zip("ab", times * [[factor], [1]], strict=True)}
        timer = InterleavedTimer(calls, block_ms=0)
        timer.measure(0.24)
        found = timer.ratio("b", over="a")
        assert 20 < timer.rounds < 57
        covered.append(found.low <= factor <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.99


def test_it_goes_to_json_and_back() -> None:
    speedup = Speedup(ratio=1.5, low=1.4, high=1.6, before_ms=3.0, after_ms=2.0, rounds=11)
    assert Speedup.from_dict(speedup.to_dict()) == speedup


def test_inputs_take_turns_and_many_rounds_of_few_of_them_do_not_tell_more_of_others(clock: Clock) -> None:
    generator = np.random.default_rng(0)
    covered, seen = [], []
    for _ in range(100):
        # What is gained depends on the picture, of which there are eight, and hardly on the round.
        gains = 2 * np.exp(0.1 * generator.standard_normal(8))
        feeds = [{"x": np.array(gain)} for gain in gains]

        def run(feed: Mapping[str, Any], fast: bool) -> None:
            clock.ns += round(1e6 * (8 / feed["x"] if fast else 8) * generator.normal(1, 0.01))
            seen.append(float(feed["x"]))

        runs = {"a": partial(run, fast=False), "b": partial(run, fast=True)}
        timer = inferences_by_turns(runs, feeds, block_ms=0, clock=timing.Clock.WALL)
        seen.clear()
        timer.measure(1, fewest=40, most=40)
        assert seen == [gain for gain in np.tile(gains, 5) for _ in "ab"]
        found = timer.ratio("b", over="a")
        covered.append(found.low <= 2 <= found.high)
    assert np.mean(covered) >= 0.9
