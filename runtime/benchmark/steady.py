"""Running until it takes as long as it will go on to take: caches filled, clocks raised, memory allocated."""

import time
from collections.abc import Callable

from edgevision.core.records import Record, record

_WINDOW_NS = 30_000_000
_ALIKE_WINDOWS = 3
_ALIKE = 1.05


@record
class WarmUp(Record):
    """What was run before anything counted, and whether it was ``steady`` in the end."""

    runs: int
    seconds: float
    steady: bool


def warm_up(run: Callable[[], object], *, seconds: float) -> WarmUp:
    """Call ``run`` until it is steady, for ``seconds`` at most.

    Steady is when the medians of three windows in a row lie within 5 % of each other. A window lasts 30 ms, or one
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
            run()
            now = clock()
            window.append(now - before)
        runs += len(window)
        medians.append(sorted(window)[len(window) // 2])
        last = medians[-_ALIKE_WINDOWS:]
        if len(last) == _ALIKE_WINDOWS and max(last) <= _ALIKE * min(last):
            return WarmUp(runs=runs, seconds=(now - start) / 1e9, steady=True)
    return WarmUp(runs=runs, seconds=(now - start) / 1e9, steady=False)
