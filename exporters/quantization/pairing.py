"""Two models timed in turn, so that what else the machine does hits both alike."""

import time
from collections.abc import Mapping

import numpy as np

from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.statistics import percentile
from edgevision.runtime.engines.engine import Array, Engine

_FEWEST_ROUNDS = 11
_MOST_ROUNDS = 401


@record
class Speedup(Record):
    """How many times as fast as the first the second is.

    ``ratio`` is the median over rounds, ``low`` to ``high`` its 95 % interval; ``before_ms`` and ``after_ms`` are the
    medians of both.
    """

    ratio: float
    low: float
    high: float
    before_ms: float
    after_ms: float
    rounds: int


def measure_speedup(before: Engine, after: Engine, feeds: Mapping[str, Array], *, seconds: float) -> Speedup:
    """Run both once in each round, the order alternating, after a warm-up, for ``seconds`` or 401 rounds.

    The interval is that of :func:`~edgevision.runtime.benchmark.statistics.percentile` for the rounds' ratios.
    """
    for engine in (before, after):
        for _ in range(2):
            engine.run(feeds)
    times: list[tuple[int, int]] = []
    end = time.monotonic() + seconds
    while len(times) < _FEWEST_ROUNDS or (len(times) < _MOST_ROUNDS and time.monotonic() < end):
        if len(times) % 2:
            second = _timed(after, feeds)
            times.append((_timed(before, feeds), second))
        else:
            first = _timed(before, feeds)
            times.append((first, _timed(after, feeds)))
    ratios = [first / second for first, second in times]
    found = percentile(ratios, 0.5)
    before_ms, after_ms = np.median(times, axis=0) / 1e6
    return Speedup(
        ratio=found.value,
        # Rounds so few or so much alike that they do not bound it: then it is somewhere among them.
        low=min(ratios) if found.low is None else found.low,
        high=max(ratios) if found.high is None else found.high,
        before_ms=float(before_ms),
        after_ms=float(after_ms),
        rounds=len(ratios),
    )


def _timed(engine: Engine, feeds: Mapping[str, Array]) -> int:
    start = time.perf_counter_ns()
    engine.run(feeds)
    return time.perf_counter_ns() - start
