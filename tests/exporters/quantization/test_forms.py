"""What the search saw to be far slower is not measured again."""

from collections.abc import Mapping
from typing import cast

import onnx

from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, OPENVINO, EngineSettings
from edgevision.exporters.quantization.forms import AS_FOR_INT8_PLAN, PossibleForm, _promising, speed_seen
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.trials import Trial, Trials
from edgevision.exporters.quantization.verdict import promising_first
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.tasks.quality import Quality

BF16 = EngineSettings("openvino", InferencePrecision.BF16)
ALL, STORED = Plan(frozenset("ab")), Plan(frozenset(), frozenset("ab"))
Seen = Mapping[tuple[EngineSettings, Plan], float]


class FakeTrials:
    """Knows the ratios that the search has ``seen``."""

    def __init__(self, seen: Seen, broken: tuple[Plan, ...], settings: EngineSettings = ONNX_RUNTIME) -> None:
        self.seen, self.broken, self.settings = seen, broken, settings

    def within(self, settings: EngineSettings) -> "FakeTrials":
        return FakeTrials(self.seen, self.broken, settings)

    def known(self, plan: Plan) -> Trial | None:
        if (self.settings, plan) not in self.seen:
            return None
        ratio = self.seen[self.settings, plan]
        speedup = Speedup(ratio=ratio, low=ratio, high=ratio, before_ms=ratio, after_ms=1.0, rounds=1)
        quality = Quality(figures={}, loss=0.0 if plan not in self.broken else 59.0)
        return Trial(name="", computed=0, stored=0, size_bytes=0, quality=quality, speedup=speedup)


def left(seen: Seen, *broken: Plan) -> set[str]:
    """What is measured besides all files in ONNX Runtime."""
    files = [
        PossibleForm("cleaned", onnx.ModelProto(), Outcome.FLOAT),
        PossibleForm("int8-weights", onnx.ModelProto(), Outcome.WEIGHT_ONLY, STORED),
        PossibleForm("all int8", onnx.ModelProto(), Outcome.INT8, ALL),
    ]
    others = [
        PossibleForm(file.name, file.model, file.outcome, file.plan, settings=settings)
        for settings in (OPENVINO, BF16)
        for file in files
    ]
    return {form.label for form in _promising(others, files, cast(Trials, FakeTrials(seen, broken)), 1.0)}


def test_what_comes_near_the_fastest_is_measured_and_what_is_only_stored_as_what_it_computes() -> None:
    seen = {(OPENVINO, Plan()): 1.5, (OPENVINO, ALL): 9.5, (BF16, Plan()): 5.4, (BF16, ALL): 11.3}
    # The fastest float32 form is what int8 has to beat.
    assert left(seen) == {
        "cleaned in OpenVINO",
        "int8-weights in OpenVINO",
        "all int8 in OpenVINO",
        "all int8 in OpenVINO bf16",
    }


def test_an_engine_that_is_far_slower_is_left_out() -> None:
    assert (
        left({(ONNX_RUNTIME, Plan()): 1.2, (ONNX_RUNTIME, ALL): 2.0, (OPENVINO, Plan()): 0.9, (OPENVINO, ALL): 1.5})
        == set()
    )
    assert left({(OPENVINO, Plan()): 0.97}) == {"cleaned in OpenVINO", "int8-weights in OpenVINO"}


def test_what_breaks_the_budget_makes_nothing_else_slow() -> None:
    seen = {(BF16, Plan()): 5.4, (BF16, ALL): 11.3, (ONNX_RUNTIME, ALL): 20.0}
    assert left(seen, ALL) == {"cleaned in OpenVINO bf16", "int8-weights in OpenVINO bf16", "all int8 in OpenVINO bf16"}


def test_what_the_search_has_not_seen_is_left_out() -> None:
    assert left({}) == set()


def test_where_time_is_short_the_fastest_are_looked_at_first_that_hold_the_budget() -> None:
    seen = {(OPENVINO, Plan()): 1.5, (BF16, Plan()): 5.4, (BF16, ALL): 11.3, (OPENVINO, ALL): 9.5}
    files = {"cleaned": (Outcome.FLOAT, Plan()), "int8-weights": (Outcome.WEIGHT_ONLY, STORED)}
    files |= {"all int8": (Outcome.INT8, ALL)}
    forms = [
        PossibleForm(name, onnx.ModelProto(), outcome, plan, settings=settings)
        for settings in (OPENVINO, BF16)
        for name, (outcome, plan) in files.items()
    ]
    broken = Quality(figures={}, loss=59.0)
    known = {form.label: None for form in forms} | {"all int8 in OpenVINO bf16": broken}
    # Nobody has judged everything in int8 in OpenVINO, and it is faster than what is known to hold.
    assert promising_first(forms, known, cast(Trials, FakeTrials(seen, (ALL,))), 1.0) == [
        "cleaned in OpenVINO bf16",
        "int8-weights in OpenVINO bf16",
        "cleaned in OpenVINO",
        "int8-weights in OpenVINO",
        "all int8 in OpenVINO",
        "all int8 in OpenVINO bf16",
    ]


def test_what_is_stored_in_int8_takes_as_long_as_the_float_form_that_int8_is_made_of() -> None:
    stored = PossibleForm("int8-weights", onnx.ModelProto(), Outcome.WEIGHT_ONLY, STORED, settings=OPENVINO)
    seen = {(OPENVINO, Plan()): 0.8, (OPENVINO, AS_FOR_INT8_PLAN): 2.5}
    assert speed_seen(stored, cast(Trials, FakeTrials(seen, ()))) == 2.5
    assert speed_seen(stored, cast(Trials, FakeTrials({(OPENVINO, Plan()): 0.8}, ()))) == 0.8
