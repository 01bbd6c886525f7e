"""Timing calls on a machine that does other things too: warmed up to their steady state, and interleaved.

In every round each call runs a block, in an order drawn anew: whatever else the machine does hits all alike, and none
always follows the same one. A block is one run, or as many as fill its length; where it has several, it begins with
runs that are not timed and bring back the caches that the call before it took. No timed sample is ever dropped.

A run is timed by what passes on the clock, which is the latency that a user feels. Calls are compared by the means of
their blocks, which may be taken by another clock: see :class:`InterleavedRuns`.
"""

import math
import sys
import time
from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.statistics import Estimate, Floats, Ratio, percentile, ratio_of_medians

Name = TypeVar("Name", bound=Hashable)
Call = Callable[[], object]
Feeds = Mapping[str, NDArray[Any]]
"""Inputs of a model by name."""

# How far the ratio of the same two models may lie from that of other processes, where memory happens to lie elsewhere:
# of three networks 0.4 to 2.2 % were seen.
_OTHER_PROCESSES = 0.03

_WINDOW_NS = 30_000_000
_ALIKE_WINDOWS = 3
_ALIKE = 1.05
_WARM_UP_RUNS = 3
# Of what runs more than once in a block.
_WARM_UP_RUNS_OF_SHORT = 20


class Clock(StrEnum):
    """What calls are compared by."""

    WALL = "wall"
    """The time that passes."""
    CPU = "CPU"
    """What this process computes, which does not grow while others have the core."""

    @classmethod
    def of_inference(cls, threads: int | None) -> "Clock":
        """CPU time where one thread computes: of several it says how much is computed and not how long that takes."""
        # Windows counts it in ticks of 16 ms.
        return cls.CPU if threads == 1 and sys.platform != "win32" else cls.WALL

    def __call__(self) -> int:
        """Nanoseconds since some moment."""
        return time.process_time_ns() if self is Clock.CPU else time.perf_counter_ns()


@record
class WarmUp(Record):
    """What was run before anything counted, and whether the steady state was reached."""

    runs: int
    seconds: float
    steady: bool


def warm_up(call: Call, *, seconds: float) -> WarmUp:
    """Run ``call`` to its steady state: caches filled, clocks raised, memory allocated; for ``seconds`` at most.

    It is reached when the medians of three windows in a row lie within 5 % of each other. A window lasts 30 ms, or one
    run where that is longer.
    """
    clock = time.perf_counter_ns
    start = clock()
    end = start + int(seconds * 1e9)
    medians: list[int] = []
    runs, now = 0, start
    while now < end:
        window: list[int] = []
        opened = now
        while now - opened < _WINDOW_NS and now < end:
            before = clock()
            call()
            now = clock()
            window.append(now - before)
        runs += len(window)
        medians.append(sorted(window)[len(window) // 2])
        last = medians[-_ALIKE_WINDOWS:]
        if len(last) == _ALIKE_WINDOWS and max(last) <= _ALIKE * min(last):
            return WarmUp(runs=runs, seconds=(now - start) / 1e9, steady=True)
    return WarmUp(runs=runs, seconds=(now - start) / 1e9, steady=False)


@record
class Speedup(Record):
    """How many times as fast as another a call is, above 1 where it is faster: ``before_ms`` over ``after_ms``.

    ``low`` to ``high`` is the 95 % interval of the ``ratio``.
    """

    ratio: float
    low: float
    high: float
    before_ms: float
    after_ms: float
    rounds: int


class TimedRuns:
    """The runs of one call that were timed, in order of time.

    Attributes:
        starts, durations: of each run, in nanoseconds on the clock.
        rounds: how many of the runs each round has.
        blocks: what those of each round took together, in nanoseconds of what calls are compared by.
        total_ns: how long all took on the clock.
    """

    def __init__(self) -> None:
        self.starts: array[int] = array("q")
        self.durations: array[int] = array("q")
        self.rounds: list[int] = []
        self.blocks: list[int] = []
        self.total_ns = 0

    def milliseconds(self) -> Floats:
        """Every duration."""
        return np.array(self.durations) / 1e6

    def in_rounds(self) -> list[Floats]:
        """The durations of each round, in milliseconds."""
        return np.split(self.milliseconds(), np.cumsum(self.rounds)[:-1])

    def round_means(self) -> Floats:
        """What a run took in each round, in the mean, in milliseconds of what calls are compared by."""
        return np.asarray(np.array(self.blocks) / np.array(self.rounds) / 1e6)


class InterleavedRuns(Generic[Name]):
    """What several calls took that were timed in the same rounds.

    A call's time in a round is the mean of its block, and a round in which the machine was slow is set right by the
    geometric mean of what all took in it. So a call has one time, and how many times as fast it is as another is
    the quotient of their times, whichever two are asked about.

    Blocks of all calls compute for as long, so that a program that shares the core interrupts them as often. A median
    of their runs would only count the interruptions of those that are too long to fit in between: on a core
    shared by ten, a run of 1.9 ms was so seen to take 77 times as long as one of 0.8 ms.

    Args:
        turns: how many inputs took turns, a round each. Times belong to a picture, so many rounds of few pictures tell
            no more about others than those few.

    Attributes:
        timed: the runs of each call by its name.
    """

    def __init__(self, timed: Mapping[Name, TimedRuns], turns: int = 1) -> None:
        self.timed = dict(timed)
        self._turns = turns
        # Of the rounds so far: a verdict asks for the same again and again.
        self._ratios: dict[tuple[Name, Name], Ratio] = {}

    @property
    def rounds(self) -> int:
        """How many were run so far."""
        return len(next(iter(self.timed.values())).rounds)

    def milliseconds(self, name: Name) -> float:
        """The median over rounds of a call's time, slow rounds set right."""
        return float(np.median(self._times(name)))

    def latency(self, name: Name) -> Estimate:
        """:meth:`milliseconds` with the 95 % interval of the median over rounds."""
        return percentile(self._times(name), 0.5)

    def ratio(self, name: Name, over: Name) -> Ratio:
        """How many times as fast as ``over`` a call is; the interval is a bootstrap's over rounds, or over inputs."""
        if (name, over) not in self._ratios:
            cut = self._by_turns if 1 < self._turns <= self.rounds else np.split
            rounds = (cut(self._times(one), self.rounds) for one in (over, name))
            self._ratios[name, over] = ratio_of_medians(*rounds, paired=True)
        return self._ratios[name, over]

    def _by_turns(self, times: Floats, rounds: int) -> list[Floats]:
        return [times[turn :: self._turns] for turn in range(self._turns)]

    def speedup(self, name: Name, over: Name) -> Speedup:
        """:meth:`ratio` with the times that it is made of, for other processes too.

        Of too few rounds its interval is that of the processes alone.
        """
        found = self.ratio(name, over)
        low, high = (found.value if end is None else end for end in (found.low, found.high))
        return Speedup(
            ratio=found.value,
            low=found.value / _with_other_processes(found.value / low),
            high=found.value * _with_other_processes(high / found.value),
            before_ms=self.milliseconds(over),
            after_ms=self.milliseconds(name),
            rounds=self.rounds,
        )

    def _times(self, name: Name) -> Floats:
        """The mean time of a call in every round, in milliseconds, slow rounds set right."""
        times = {one: timed.round_means() for one, timed in self.timed.items()}
        together = np.exp(np.mean([np.log(series) for series in times.values()], axis=0))
        return np.asarray(times[name] * np.median(together) / together)


class InterleavedTimer(InterleavedRuns[Name]):
    """Times several calls in one run; see the module.

    Args:
        calls: each by its name; all are run a few times before anything is timed.
        block_ms: how long a call runs in a round, at least once.
        fewest: runs of a block at least, where there are several calls.
        rewarm_ms: how long the runs last that are not timed, at the beginning of a block of several runs.
        clock: what calls are compared by, in nanoseconds.
        begin_round: told how many rounds were run before each.
        turns: as of :class:`InterleavedRuns`.
    """

    def __init__(
        self,
        calls: Mapping[Name, Call],
        *,
        block_ms: float = 2.0,
        fewest: int = 1,
        rewarm_ms: float = 0.0,
        clock: Callable[[], int] = Clock.WALL,
        begin_round: Callable[[int], object] = lambda rounds: None,
        turns: int = 1,
    ) -> None:
        super().__init__({name: TimedRuns() for name in calls}, turns)
        self._calls = dict(calls)
        self._begin_round = begin_round
        self._clock = clock
        self._rewarm_ns = round(1e6 * rewarm_ms)
        self._alone = len(self._calls) == 1
        self._order = np.random.default_rng(0)
        self._block_runs = {
            name: max(1 if self._alone else fewest, round(1e6 * block_ms / max(1, self._fastest_run(call, block_ms))))
            for name, call in self._calls.items()
        }

    def run_round(self) -> None:
        """Add a block of every call."""
        self._ratios.clear()
        self._begin_round(self.rounds)
        names = list(self._calls)
        for place in self._order.permutation(len(names)):
            self._run_block(names[place])

    def measure(self, seconds: float, *, fewest: int = 11, most: int = 401) -> None:
        """Add rounds for so long, as many as it takes for an interval and ``most`` in all.

        None is begun that would not end in time, were it as short as the shortest.
        """
        now = time.monotonic()
        end, shortest = now + seconds, 0.0
        while self.rounds < fewest or (self.rounds < most and now < end and now + shortest <= end):
            self.run_round()
            now, before = time.monotonic(), now
            shortest = min(shortest or math.inf, now - before)

    def _fastest_run(self, call: Call, block_ms: float) -> int:
        took: list[int] = []
        # On a busy machine a few runs may all be interrupted, and blocks would be too short for their medians to mean
        # anything.
        while len(took) < _WARM_UP_RUNS or (len(took) < _WARM_UP_RUNS_OF_SHORT and min(took) < 1e6 * block_ms):
            start = self._clock()
            call()
            took.append(self._clock() - start)
        return min(took)

    def _run_block(self, name: Name) -> None:
        clock, call, runs, timed = time.perf_counter_ns, self._calls[name], self._block_runs[name], self.timed[name]
        if runs > 1 and not self._alone:
            end = clock() + self._rewarm_ns
            call()
            while clock() < end:
                call()
        starts, durations = timed.starts, timed.durations
        before = self._clock()
        for _ in range(runs):
            start = clock()
            call()
            durations.append(clock() - start)
            starts.append(start)
        computed, passed = self._clock() - before, sum(durations[-runs:])
        # Without what lies between runs, where that is known.
        timed.blocks.append(passed if self._clock is Clock.WALL else computed)
        timed.rounds.append(runs)
        timed.total_ns += passed


def inferences_by_turns(
    runs: Mapping[Name, Callable[[Feeds], object]], feeds: Sequence[Feeds], *, block_ms: float, clock: Clock
) -> InterleavedTimer[Name]:
    """Times one inference of each of ``runs``, in every round on the next of ``feeds``.

    How long it takes may depend on the picture, as where activations are zero or a PRelu is cheap above it, and so may
    how many times as fast one is as another.
    """
    now = [feeds[0]]

    def take_next(rounds: int) -> None:
        now[0] = feeds[rounds % len(feeds)]

    calls = {name: partial(_run, run, now) for name, run in runs.items()}
    return InterleavedTimer(calls, block_ms=block_ms, clock=clock, begin_round=take_next, turns=len(feeds))


def _with_other_processes(factor: float) -> float:
    """A factor of an interval that also holds for other processes, from that for one."""
    return math.exp(math.hypot(math.log(factor), _OTHER_PROCESSES))


def _run(run: Callable[[Feeds], object], now: Sequence[Feeds]) -> object:
    return run(now[0])
