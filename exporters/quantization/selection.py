"""Which form is written: the fastest within the quality budget, by the figures of one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, EngineSettings, form_label
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.report import AS_FOR_INT8, AS_GIVEN, CLEANED, REWRITTEN, Outcome
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.tasks.loss_bound import BoundedLoss, LossBound, find_proof

# From nothing to the most that is done to a float model, without a loss.
_CHANGES = (AS_GIVEN, CLEANED, REWRITTEN, AS_FOR_INT8)

# What is smaller is written where it is not shown to be slower, unless it seems to be by more than this: on a busy
# machine little is shown.
_AS_FAST = 0.95

SpeedupOver = Callable[[str, str], Speedup]
"""How many times as fast the first form is as the second."""


@dataclass(frozen=True)
class Candidate:
    """A form as it was judged: its file, what it would be to write that, what it is run in, what it loses there and how
    sure that is.

    ``outcome`` is ``None`` for what is compared with only.
    """

    file: str
    outcome: Outcome | None
    loss: float
    settings: EngineSettings = ONNX_RUNTIME
    bound: LossBound | None = None

    @classmethod
    def judged(cls, file: str, outcome: Outcome | None, judged: BoundedLoss, settings: EngineSettings) -> "Candidate":
        """One that was judged: what computes the same in float32 has nothing to prove."""
        same = outcome is Outcome.FLOAT and settings.inference_precision is InferencePrecision.FP32
        return cls(file, outcome, judged.loss, settings, None if same else judged.bound)

    @property
    def name(self) -> str:
        """As :attr:`Form.label`."""
        return form_label(self.file, self.settings.title)

    @property
    def changes(self) -> int:
        """How much was done to a float model."""
        return _CHANGES.index(self.file) if self.file in _CHANGES else 0

    @property
    def reduced(self) -> bool:
        """Whether it computes in less than float32."""
        precision = self.settings.inference_precision
        return self.outcome in (Outcome.INT8, Outcome.FP16) or precision is not InferencePrecision.FP32


@dataclass(frozen=True)
class Selection:
    """The form to write, and the fastest ones it was weighed against.

    Attributes:
        fastest_float: of those with float32 arithmetic, weight-only int8 among them.
        fastest_int8: of those with int8 arithmetic; ``None`` where none is within the budget.
        weight_only: the first with weight-only int8 and float32 arithmetic, likewise.
    """

    written: Candidate
    fastest_float: Candidate
    fastest_int8: Candidate | None
    weight_only: Candidate | None


@dataclass(frozen=True)
class Selector:
    """Chooses among ``candidates``, of which the first that may be written is the float model: it has no loss.

    Attributes:
        speedup: ``None`` where the device is not at hand.
        budget: the largest loss.
    """

    candidates: Sequence[Candidate]
    speedup: SpeedupOver | None
    budget: float
    prefer: Preference

    def select(self) -> Selection:
        """No form within the budget is shown to be faster than what is written, unless something else is preferred.

        Shown means that the 95 % interval of the ratio lies above 1. What asks for more has to be shown to be faster
        than the fastest that asks for less: arithmetic in less than float32 than that in float32, of either another
        engine than the first. Of the forms that none is shown to be faster than, weight-only int8 is written for its
        size where it is about as fast as the fastest, and else of float models the one to which least was done: the one
        that was given, unless another is shown to be faster.
        """
        within = self.within_budget()
        floats = [one for one in within if not one.reduced]
        int8 = [one for one in within if one.outcome is Outcome.INT8]
        if self.speedup is None:
            # What was rewritten is faster here, which says nothing of another device.
            fastest_float = [one for one in floats if one.outcome is Outcome.FLOAT and one.file != REWRITTEN][-1]
        else:
            fastest_float = self._fastest(floats)
        fastest_int8 = self._fastest(int8) if int8 else None
        weight_only = next((one for one in floats if one.outcome is Outcome.WEIGHT_ONLY), None)
        written = self._written(within, fastest_float, fastest_int8, weight_only)
        return Selection(written, fastest_float, fastest_int8, weight_only)

    def undecided(self) -> bool:
        """Whether a form seems to be faster than all that ask for less, and this is not shown, perhaps for want of
        rounds."""
        if self.speedup is None:
            return False
        rank, within = self._rank(self.select().written), self.within_budget()
        fastest = self._fastest([one for one in within if self._rank(one) <= rank])
        found = [self.speedup(one.name, fastest.name) for one in within if self._rank(one) > rank]
        return any(one.low <= 1 < one.ratio for one in found)

    def within_budget(self) -> list[Candidate]:
        """What may be written; the float model always may."""
        possible = [one for one in self.candidates if one.outcome is not None]
        return [one for one in possible if one is possible[0] or find_proof(one.loss, one.bound, self.budget)]

    def _rank(self, one: Candidate) -> tuple[bool, bool]:
        """How much it asks for: the larger, the more it has to be shown to be faster."""
        home = next(first for first in self.candidates if first.outcome is not None).settings.engine
        return one.reduced, one.settings.engine != home

    def _written(
        self,
        within: Sequence[Candidate],
        fastest_float: Candidate,
        fastest_int8: Candidate | None,
        weight_only: Candidate | None,
    ) -> Candidate:
        if fastest_int8 is not None and (self.speedup is None or self.prefer is Preference.INT8):
            return fastest_int8
        if self.speedup is None:
            return weight_only or fastest_float
        unbeaten = [one for one in within if not any(self._is_faster(other, one) for other in within)]
        paying = [one for one in unbeaten if self._pays(one, within)]
        least = min(map(self._rank, paying), default=None)
        # Intervals of a disturbed run may contradict each other, so that nothing pays.
        alike = [one for one in paying if self._rank(one) == least]
        alike = alike or [one for one in unbeaten if not one.reduced] or unbeaten
        fastest = self._fastest(alike)
        if fastest.outcome is not Outcome.FLOAT:
            return fastest
        small = [
            one
            for one in alike
            if one.outcome is Outcome.WEIGHT_ONLY and self.speedup(one.name, fastest.name).ratio >= _AS_FAST
        ]
        if not small and self.prefer is Preference.SIZE:
            small = [one for one in within if one.outcome is Outcome.WEIGHT_ONLY]
        small = [one for one in small if self._rank(one) == self._rank(fastest)]
        return self._fastest(small) if small else self._least_changed(alike, fastest, within[0])

    def _least_changed(self, alike: Sequence[Candidate], fastest: Candidate, first: Candidate) -> Candidate:
        """Of float models that none is shown to be faster than, the one that was given, or is shown to be faster."""
        floats = [one for one in alike if one.outcome is fastest.outcome and one.settings == fastest.settings]
        proven = [one for one in floats if one is first or self._is_faster(one, first)]
        return min(proven, key=lambda one: one.changes, default=fastest)

    def _pays(self, one: Candidate, within: Sequence[Candidate]) -> bool:
        """Whether it is shown to be faster than the fastest of those that ask for less; of a row that is slower and
        was disturbed the interval says little."""
        less = [other for other in within if self._rank(other) < self._rank(one)]
        return not less or self._is_faster(one, self._fastest(less))

    def _is_faster(self, one: Candidate, other: Candidate) -> bool:
        """Whether it is shown to be."""
        return one is not other and self.speedup is not None and self.speedup(one.name, other.name).low > 1

    def _fastest(self, candidates: Sequence[Candidate]) -> Candidate:
        """The last where that is not known: what was searched for stands behind what it was made from."""
        speedup = self.speedup
        if speedup is None:
            return candidates[-1]
        # Of equals the first.
        return max(candidates, key=lambda one: speedup(one.name, candidates[0].name).ratio)
