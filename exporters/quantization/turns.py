"""Several models timed in turns: one measurement, so that all its ratios and times agree with one another."""

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.quantization.pairing import Speedup
from edgevision.runtime.benchmark.statistics import ratio_of_medians
from edgevision.runtime.engines.engine import Array, Engine

_FEWEST_ROUNDS = 11
_MOST_ROUNDS = 401
# A turn of something quick is so many runs, behind one that is not counted and brings its caches back.
_TURN_NS = 2_000_000


class Turns:
    """Each of ``engines`` runs in every round, in an order drawn anew: none always follows the same one.

    A round in which the machine was slow is set right by the geometric mean of what all took in it. So a model has one
    time, and how many times as fast it is as another is the quotient of their times, whichever two are asked about.
    """

    def __init__(self, engines: Mapping[str, Engine], feeds: Mapping[str, Array]) -> None:
        self._engines, self._feeds = dict(engines), feeds
        self._names = list(engines)
        self._rounds: list[list[float]] = []
        self._order = np.random.default_rng(0)
        self._runs = {}
        for name, engine in self._engines.items():
            engine.run(feeds)
            self._runs[name] = max(1, round(_TURN_NS / max(1, _timed(engine, feeds, 1))))

    def measure(self, seconds: float) -> None:
        """Add rounds for so long, as many as it takes for an interval and 401 in all."""
        end = time.monotonic() + seconds
        count = len(self._names)
        while len(self._rounds) < _FEWEST_ROUNDS or (len(self._rounds) < _MOST_ROUNDS and time.monotonic() < end):
            took = [0.0] * count
            for place in self._order.permutation(count):
                name = self._names[place]
                took[place] = _timed(self._engines[name], self._feeds, self._runs[name])
            self._rounds.append(took)

    def milliseconds(self, name: str) -> float:
        """The median of a model's times, slow rounds set right."""
        return float(np.median(self._times(name))) / 1e6

    def speedup(self, name: str, over: str) -> Speedup:
        """How many times as fast as ``over`` a model is; the interval is a bootstrap's, over rounds."""
        before, after = self.milliseconds(over), self.milliseconds(name)
        found = ratio_of_medians(self._in_rounds(name), self._in_rounds(over), paired=True)
        return Speedup(
            ratio=before / after,
            low=before / after if found.low is None else found.low,
            high=before / after if found.high is None else found.high,
            before_ms=before,
            after_ms=after,
            rounds=len(self._rounds),
        )

    def _times(self, name: str) -> NDArray[np.float64]:
        times = np.array(self._rounds)
        together = np.exp(np.log(times).mean(axis=1))
        return np.asarray(times[:, self._names.index(name)] * np.median(together) / together)

    def _in_rounds(self, name: str) -> list[NDArray[np.float64]]:
        return np.split(self._times(name), len(self._rounds))


def _timed(engine: Engine, feeds: Mapping[str, Array], runs: int) -> float:
    """Nanoseconds of one run."""
    if runs > 1:
        engine.run(feeds)
    start = time.perf_counter_ns()
    for _ in range(runs):
        engine.run(feeds)
    return (time.perf_counter_ns() - start) / runs
