"""Which row of the table is written, for whatever figures come out."""

import dataclasses
from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, OPENVINO, EngineSettings
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.report import Outcome, form_label
from edgevision.exporters.quantization.selection import Candidate, Selection, Selector
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.tasks.loss_bound import LossBound

OUTCOMES = {
    "as given": Outcome.FLOAT,
    "cleaned": Outcome.FLOAT,
    "rewritten": Outcome.FLOAT,
    "fp16": Outcome.FP16,
    "int8-weights": Outcome.WEIGHT_ONLY,
    "all int8": Outcome.INT8,
    "int8": Outcome.INT8,
}
SETTINGS = (ONNX_RUNTIME, OPENVINO, EngineSettings("openvino", InferencePrecision.BF16))
PAIRS = {
    form_label(name, settings.title): (name, outcome, settings)
    for settings in SETTINGS
    for name, outcome in OUTCOMES.items()
    if settings is ONNX_RUNTIME or outcome in (Outcome.FLOAT, Outcome.WEIGHT_ONLY, Outcome.INT8)
}


class Table:
    """Made up milliseconds and losses; an interval reaches ``width`` to either side of a ratio, or at random."""

    def __init__(
        self,
        milliseconds: Mapping[str, float],
        losses: Mapping[str, float],
        *,
        width: float = 0.05,
        random: np.random.Generator | None = None,
    ) -> None:
        self.milliseconds = milliseconds
        self.candidates = [
            Candidate(file, outcome, losses.get(name, 0.0), settings, LossBound(pictures=100, error=0.0))
            for name, (file, outcome, settings) in ((name, PAIRS[name]) for name in milliseconds)
        ]
        draw = random.uniform if random is not None else lambda low, high: high
        self._width = {pair: draw(0, width) for pair in product(milliseconds, repeat=2)}

    def speedup(self, name: str, over: str) -> Speedup:
        before, after = self.milliseconds[over], self.milliseconds[name]
        low, high = (before / after * (1 + sign * self._width[name, over]) for sign in (-1, 1))
        return Speedup(ratio=before / after, low=low, high=high, before_ms=before, after_ms=after, rounds=11)

    def selection(self, budget: float = 1.0, prefer: Preference = Preference.SPEED) -> Selection:
        return self.selector(budget, prefer).select()

    def selector(self, budget: float = 1.0, prefer: Preference = Preference.SPEED) -> Selector:
        return Selector(self.candidates, self.speedup, budget, prefer)


def test_no_row_within_the_budget_is_shown_to_be_faster_than_what_is_written_for_any_figures() -> None:
    random = np.random.default_rng(0)
    written = set()
    for _ in range(3000):
        names = ["as given", *(name for name in PAIRS if name != "as given" and random.random() < 0.5)]
        spread = random.choice([0.02, 0.2, 1.0])
        table = Table(
            dict(zip(names, np.exp(random.normal(0, spread, len(names))), strict=True)),
            {name: random.uniform(0, 2) for name in names if name != "as given"},
            width=random.choice([0.01, 0.1, 0.5]),
            random=random,
        )
        selection = table.selection()
        chosen = selection.written
        written.add(chosen.name)
        assert chosen.name == "as given" or chosen.loss <= 1
        within = [one for one in table.candidates if one.name == "as given" or one.loss <= 1]
        for other in within:
            assert table.speedup(other.name, chosen.name).low <= 1, (chosen, other)
            if chosen.reduced and not other.reduced:
                assert table.milliseconds[chosen.name] < table.milliseconds[other.name]
    assert written == set(PAIRS)


def test_all_int8_that_is_better_than_what_was_searched_for_is_written() -> None:
    table = Table(
        {"as given": 3.3, "cleaned": 3.24, "all int8": 1.0, "int8": 1.29}, {"all int8": 0.089, "int8": 0.0965}
    )
    assert table.selection(budget=0.1).written.name == "all int8"
    # It is over this one.
    assert table.selection(budget=0.05).written.name == "as given"


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        # Not one of them is shown to be faster than the user's own file.
        ({"cleaned": 9.7, "rewritten": 9.6}, "as given"),
        ({"cleaned": 10.3, "rewritten": 10.3}, "as given"),
        ({"rewritten": 9.8}, "as given"),
        ({"cleaned": 9.0, "rewritten": 8.8}, "cleaned"),
        ({"cleaned": 9.7, "rewritten": 9.0}, "rewritten"),
        ({"cleaned": 9.0, "rewritten": 8.0}, "rewritten"),
        ({"rewritten": 9.8, "cleaned in OpenVINO": 9.8}, "as given"),
    ],
)
def test_of_float_models_the_one_that_was_given_is_written_unless_another_is_shown_to_be_faster(
    milliseconds: Mapping[str, float], written: str
) -> None:
    table = Table({"as given": 10.0} | dict(milliseconds), {})
    assert table.selection().written.name == written


def test_what_is_compared_with_only_is_never_written() -> None:
    table = Table({"as given": 1.0, "cleaned in OpenVINO": 5.0}, {})
    given = dataclasses.replace(table.candidates[0], outcome=None)
    selector = Selector([given, *table.candidates[1:]], table.speedup, 1.0, Preference.SPEED)
    assert selector.select().written.name == "cleaned in OpenVINO"


@pytest.mark.parametrize(
    ("int8", "weights", "written"),
    [
        (1.00, 1.00, "int8-weights"),
        (0.98, 1.00, "int8-weights"),
        (0.90, 1.00, "int8"),
        (0.98, 1.20, "cleaned"),
        # Faster than weights that are only stored, but not than the float model.
        (0.96, 1.04, "cleaned"),
    ],
)
def test_arithmetic_in_int8_has_to_be_shown_to_be_faster_than_any_float_form(
    int8: float, weights: float, written: str
) -> None:
    table = Table({"cleaned": 1.0, "int8-weights": weights, "int8": int8}, {})
    assert table.selection().written.name == written


@pytest.mark.parametrize(
    ("prefer", "written"), [(Preference.SPEED, "cleaned"), (Preference.SIZE, "int8-weights"), (Preference.INT8, "int8")]
)
def test_what_is_slower_is_written_only_where_it_is_preferred(prefer: Preference, written: str) -> None:
    table = Table({"cleaned": 1.0, "int8-weights": 1.4, "all int8": 1.3, "int8": 1.2}, {})
    assert table.selection(prefer=prefer).written.name == written


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ({"cleaned in OpenVINO": 1.02}, "int8"),
        ({"cleaned in OpenVINO": 0.5}, "cleaned in OpenVINO"),
        ({"cleaned in OpenVINO bf16": 0.5}, "cleaned in OpenVINO bf16"),
        ({"cleaned in OpenVINO bf16": 0.84}, "int8"),
        ({"int8 in OpenVINO": 0.79, "cleaned in OpenVINO bf16": 0.8}, "int8 in OpenVINO"),
        ({"int8 in OpenVINO bf16": 0.3, "cleaned in OpenVINO bf16": 0.31}, "int8 in OpenVINO bf16"),
        # As fast as int8 in the first engine, and exact: nothing shows that int8 pays.
        ({"cleaned in OpenVINO": 0.86}, "cleaned in OpenVINO"),
    ],
)
def test_another_engine_has_to_be_shown_to_be_faster(there: Mapping[str, float], written: str) -> None:
    table = Table({"cleaned": 1.0, "int8": 0.85} | dict(there), {})
    assert table.selection().written.name == written


def test_what_is_wrong_in_an_engine_is_judged_there_and_not_written() -> None:
    table = Table({"cleaned": 1.0, "int8": 0.8, "int8 in OpenVINO": 0.1}, {"int8 in OpenVINO": 59.0})
    assert table.selection().written.name == "int8"


def test_bfloat16_with_weights_stored_in_int8_is_written_for_its_size() -> None:
    times = {"cleaned": 1.0, "cleaned in OpenVINO bf16": 0.5, "int8-weights in OpenVINO bf16": 0.51}
    assert Table(times, {}).selection().written.name == "int8-weights in OpenVINO bf16"
    assert Table(times | {"int8-weights in OpenVINO bf16": 0.6}, {}).selection().written.name == list(times)[1]


def test_it_is_undecided_where_int8_seems_to_be_faster_and_this_is_not_shown() -> None:
    for other in ("int8", "cleaned in OpenVINO"):
        undecided = {r: Table({"cleaned": r, other: 1.0}, {}).selector().undecided() for r in (0.9, 1.02, 1.2)}
        assert undecided == {0.9: False, 1.02: True, 1.2: False}


def test_what_was_searched_for_is_written_for_a_device_that_is_not_at_hand() -> None:
    table = Table(dict.fromkeys(OUTCOMES, 1.0), {"all int8": 5.0})
    for prefer in Preference:
        assert Selector(table.candidates, None, 1.0, prefer).select().written.name == "int8"
    assert Selector(table.candidates[:5], None, 1.0, Preference.SPEED).select().written.name == "int8-weights"
    # That another form of it is faster here says nothing of that device.
    assert Selector(table.candidates[:4], None, 1.0, Preference.SPEED).select().written.name == "cleaned"


@pytest.mark.parametrize(("milliseconds", "written"), [(10.4, "int8-weights"), (11.0, "cleaned")])
def test_weight_only_int8_that_seems_slower_is_not_written_for_its_size_however_little_was_shown(
    milliseconds: float, written: str
) -> None:
    table = Table({"cleaned": 10.0, "int8-weights": milliseconds}, {}, width=0.6)
    assert table.selection().written.name == written
    # Who asks for the smallest file has it.
    assert table.selection(prefer=Preference.SIZE).written.name == "int8-weights"


@pytest.mark.parametrize(("loss", "written"), [(0.1, "all int8"), (0.4, "cleaned")])
def test_what_is_well_within_the_budget_is_written_though_few_pictures_cannot_prove_it(
    loss: float, written: str
) -> None:
    few = LossBound(pictures=40, error=0.3, unseen=0.2)
    rows = [Candidate("cleaned", Outcome.FLOAT, 0.0), Candidate("all int8", Outcome.INT8, loss, bound=few)]
    assert Selector(rows, None, 0.5, Preference.SPEED).select().written.name == written


def test_a_slower_row_that_was_disturbed_does_not_keep_int8_from_paying() -> None:
    table = Table({"cleaned": 10.0, "int8-weights": 13.0, "all int8": 5.0}, {})
    table._width["all int8", "int8-weights"] = table._width["int8-weights", "cleaned"] = 2.0
    assert table.speedup("all int8", "int8-weights").low < 1
    assert table.selection().written.name == "all int8"
    # One that is not shown to be faster than the fastest is not written.
    table._width["all int8", "cleaned"] = 2.0
    assert table.selection().written.name != "all int8"
