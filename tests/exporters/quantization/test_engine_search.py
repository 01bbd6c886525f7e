"""Each engine that may win is searched in, in the settings in which it is fastest, and no other."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from edgevision.core.errors import DeviceError
from edgevision.exporters.quantization.engine_search import EngineSearch
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, OPENVINO, EngineSettings
from edgevision.exporters.quantization.forms import AS_FOR_INT8_PLAN
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.search import Choice
from edgevision.exporters.quantization.trials import Trials
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.tasks.quality import Quality

BF16 = EngineSettings("openvino", InferencePrecision.BF16)
NONE, PART, ALL = Plan(), Plan(frozenset("a")), Plan(frozenset("ab"))


class FakeTrials:
    """Ratios of float and of all int8 by settings; what is found in part is ``better`` times as fast as the best."""

    def __init__(self, ratios: Mapping[EngineSettings, tuple[float, float]], losses: Mapping[Any, float] = {}) -> None:
        self.ratios, self.losses = ratios, losses
        self.possible = tuple(ratios)
        self.timed: set[tuple[EngineSettings, Plan]] = set()
        self.settings = self.possible[0]

    def within(self, settings: EngineSettings) -> "FakeTrials":
        other = FakeTrials(self.ratios, self.losses)
        other.settings, other.timed = settings, self.timed
        return other

    def quality(self, plan: Plan, name: str) -> Quality:
        return Quality(figures={}, loss=self.losses.get(self.settings, 0.0))

    def speedup(self, plan: Plan, name: str) -> Speedup:
        self.timed.add((self.settings, plan))
        floats, everything = self.ratios[self.settings]
        parts = {NONE: floats, ALL: everything, PART: (floats + everything) / 2, AS_FOR_INT8_PLAN: 3 * floats}
        ratio = parts[plan]
        return Speedup(
            ratio=ratio, low=ratio, high=ratio, before_ms=1.0, after_ms=1 / ratio if ratio else float("inf"), rounds=1
        )


def searched(
    trials: FakeTrials, found: Plan = ALL, failing: EngineSettings | None = None, *, late: bool = False
) -> dict[EngineSettings, float]:
    """Where it was searched, in order, and in which share of the time; candidates do not run in what is ``failing``."""
    shares: dict[EngineSettings, float] = {}

    def search(within: Trials, share: float) -> Choice:
        if within.settings == failing:
            raise DeviceError("the engine cannot compile it")
        shares[within.settings] = share
        return Choice(found)

    choices = EngineSearch(cast(Trials, trials), ALL, [Plan()], 1.0, search, lambda: late).run()
    assert list(choices) == list(shares)
    assert all(choice.plan == found for choice in choices.values())
    return shares


def test_one_engine_is_searched_in_all_of_the_time_and_not_timed_before() -> None:
    assert searched(FakeTrials({ONNX_RUNTIME: (0.0, 0.0)})) == {ONNX_RUNTIME: 1.0}


def test_the_fastest_engine_is_searched_in_first_and_one_out_of_reach_not_at_all() -> None:
    assert searched(FakeTrials({ONNX_RUNTIME: (1.0, 4.2), OPENVINO: (1.5, 9.5), BF16: (5.4, 11.3)})) == {BF16: 0.5}
    assert searched(FakeTrials({ONNX_RUNTIME: (1.0, 2.0), OPENVINO: (1.0, 1.2)})) == {ONNX_RUNTIME: 0.5}


def test_engines_that_are_alike_are_both_searched_in() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 1.9), OPENVINO: (1.0, 2.0)})
    assert searched(trials) == {OPENVINO: 0.5, ONNX_RUNTIME: 0.5}


def test_of_one_engine_the_settings_count_in_which_float_and_int8_are_fastest_together() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 1.2), OPENVINO: (1.0, 2.0), BF16: (1.5, 1.95)})
    assert searched(trials) == {BF16: 0.5}
    # What was found is known in float32, too.
    assert (OPENVINO, ALL) in trials.timed


def test_where_int8_breaks_the_budget_the_next_engine_is_tried() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 4.2), OPENVINO: (1.2, 9.5)})
    assert list(searched(trials, NONE)) == [OPENVINO, ONNX_RUNTIME]


def test_what_is_too_coarse_by_itself_is_not_searched_in() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 2.0), OPENVINO: (1.0, 3.0), BF16: (4.0, 5.0)}, {BF16: 1.5})
    assert list(searched(trials)) == [OPENVINO]


def test_where_it_is_late_no_more_settings_are_tried() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 1.2), OPENVINO: (1.0, 2.0)})
    assert searched(trials, late=True) == {ONNX_RUNTIME: 1.0}
    assert {settings for settings, _ in trials.timed} == {ONNX_RUNTIME}


def test_where_no_candidate_comes_back_in_time_the_choice_is_float() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (0.0, 0.0), OPENVINO: (0.0, 0.0)})
    choices = EngineSearch(cast(Trials, trials), ALL, [Plan()], 1.0, lambda *_: Choice(ALL), lambda: False).run()
    assert choices == {ONNX_RUNTIME: Choice(NONE)}


@pytest.mark.parametrize("better", [1.5, 0.9])
def test_bfloat16_alone_may_promise_most(better: float) -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, better), OPENVINO: (1.0, 0.5), BF16: (2.0, 1.1)})
    assert next(iter(searched(trials, NONE))) == BF16


def test_an_engine_that_a_candidate_does_not_run_in_is_left_out() -> None:
    class Failing(FakeTrials):
        def within(self, settings: EngineSettings) -> FakeTrials:
            other = Failing(self.ratios)
            other.settings = settings
            return other

        def speedup(self, plan: Plan, name: str) -> Speedup:
            if self.settings == OPENVINO and plan != NONE:
                raise DeviceError("OpenVINO cannot compile it")
            return super().speedup(plan, name)

    ratios = {ONNX_RUNTIME: (1.0, 2.0), OPENVINO: (1.0, 2.0)}
    assert searched(Failing(ratios)) == {ONNX_RUNTIME: 1.0}
    # The search may find such a candidate later, and this engine is the only one that a user asked for.
    assert searched(FakeTrials(ratios), failing=OPENVINO) == {ONNX_RUNTIME: 0.5}
    with pytest.raises(DeviceError):
        searched(FakeTrials(ratios), failing=ONNX_RUNTIME)


def test_in_other_engines_the_float_form_that_int8_is_made_of_counts_as_well() -> None:
    trials = FakeTrials({ONNX_RUNTIME: (1.0, 1.2), OPENVINO: (0.8, 0.9)})
    floats = [NONE, AS_FOR_INT8_PLAN]
    choices = EngineSearch(cast(Trials, trials), ALL, floats, 1.0, lambda *_: Choice(ALL), lambda: False).run()
    # In float it is three times as fast there as what is fastest in the first engine.
    assert next(iter(choices)) == OPENVINO
    assert {settings for settings, plan in trials.timed if plan == AS_FOR_INT8_PLAN} == {OPENVINO}
