"""Two models timed in turn, so that what else the machine does hits both alike."""

import time
from collections.abc import Mapping

import numpy as np

from edgevision.records import Record, record
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

    The interval is that of the order statistics of the rounds' ratios, which asks nothing of their distribution.
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
    ratios = np.sort([first / second for first, second in times])
    low, high = median_interval(len(ratios))
    before_ms, after_ms = np.median(times, axis=0) / 1e6
    return Speedup(
        ratio=float(np.median(ratios)),
        low=float(ratios[low]),
        high=float(ratios[high]),
        before_ms=float(before_ms),
        after_ms=float(after_ms),
        rounds=len(ratios),
    )


def median_interval(count: int) -> tuple[int, int]:
    """The positions among ``count`` sorted values between which the median lies with 95 % confidence.

    How many lie below it is binomial with one half, here by its normal approximation.
    """
    reach = 0.98 * count**0.5
    return max(0, int(np.floor((count - 1) / 2 - reach))), min(count - 1, int(np.ceil((count - 1) / 2 + reach)))


def _timed(engine: Engine, feeds: Mapping[str, Array]) -> int:
    start = time.perf_counter_ns()
    engine.run(feeds)
    return time.perf_counter_ns() - start
