"""A search in every engine that may win: what pays in one does not in another."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edgevision.core.errors import DeviceError
from edgevision.exporters.engine_process import OutOfTimeError
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.search import Choice
from edgevision.exporters.quantization.trials import Trials
from edgevision.modelfiles.measured_engine import InferencePrecision

_log = logging.getLogger(__name__)

# How much faster a part of the units in int8 may be than all of them and than none: 1.2 was seen.
_PARTLY = 1.25

SearchWithin = Callable[[Trials, float], Choice]
"""The choice in the engine settings of these trials, in that share of the time."""


@dataclass(frozen=True)
class EngineSearch:
    """Searches in the most promising settings of each engine, and ends where the rest cannot reach what was found.

    An engine that a candidate does not run in is left out; in the plainest one that is an error, but for want of time.

    Attributes:
        everything: the plan in which all units compute in int8.
        floats: the float forms, of which the first is the fastest in the first engine.
        budget: the largest loss of quality.
        late: whether no more settings are to be tried than those that were.
    """

    trials: Trials
    everything: Plan
    floats: Sequence[Plan]
    budget: float
    search: SearchWithin
    late: Callable[[], bool]

    def run(self) -> dict[EngineSettings, Choice]:
        """At least one choice, in the order in which they were found."""
        if len(self.trials.possible) == 1:
            return {self.trials.settings: self.search(self.trials, 1.0)}
        promises = self._promises()
        choices: dict[EngineSettings, Choice] = {}
        found = 0.0
        for settings in sorted(promises, key=lambda one: -promises[one]):
            if _PARTLY * promises[settings] < found:
                break
            trials = self.trials.within(settings)
            with self._left_out_if_failing(settings):
                choice = self.search(trials, 1 / len(promises))
                found = max(found, self._ratio(trials, choice.plan))
                choices[settings] = choice
                # The rest in another precision may be as fast, and closer.
                for other in self.trials.possible:
                    if other.engine == settings.engine and choice.plan.int8:
                        self._ratio(self.trials.within(other), choice.plan)
        # No candidate came back in time, in any of them.
        return choices or {self.trials.settings: Choice(Plan())}

    def _promises(self) -> Mapping[EngineSettings, float]:
        """Of each engine the settings to search in, and how fast it is there in float or all in int8.

        Where a part is int8 the rest counts, too: they are the fastest in both together.
        """
        best: dict[str, tuple[EngineSettings, float]] = {}
        promises: dict[str, float] = {}
        home = self.trials.possible[0].engine
        for settings in self.trials.possible:
            if best and self.late():
                break
            trials = self.trials.within(settings)
            plans = self.floats[:1] if settings.engine == home else self.floats
            with self._left_out_if_failing(settings):
                # What is too coarse by itself leaves nothing for int8 to lose.
                if settings.inference_precision is not InferencePrecision.FP32:
                    plans = [plan for plan in plans if self._holds(trials, plan)]
                    if not plans:
                        continue
                floats = max(self._ratio(trials, plan) for plan in plans)
                everything = self._ratio(trials, self.everything)
                promises[settings.engine] = max(promises.get(settings.engine, 0.0), floats, everything)
                if floats * everything > best.get(settings.engine, (settings, 0.0))[1]:
                    best[settings.engine] = settings, floats * everything
        return {settings: promises[settings.engine] for settings, _ in best.values()}

    @contextmanager
    def _left_out_if_failing(self, settings: EngineSettings) -> Iterator[None]:
        try:
            yield
        except DeviceError as error:
            if settings.engine == self.trials.possible[0].engine and not isinstance(error, OutOfTimeError):
                raise
            _log.info("int8 is not searched for in %s: %s", settings.title, error)

    def _holds(self, trials: Trials, plan: Plan) -> bool:
        return trials.quality(plan, "float").proof(self.budget) is not None

    @staticmethod
    def _ratio(trials: Trials, plan: Plan) -> float:
        found = trials.speedup(plan, "all int8" if plan.int8 else "float")
        assert found is not None
        return found.ratio
