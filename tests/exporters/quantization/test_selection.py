"""Which row of the table is written, for whatever figures come out."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.selection import Candidate, Selection, Selector
from edgevision.runtime.benchmark.timing import Speedup

OUTCOMES = {
    "as given": None,
    "cleaned": Outcome.FLOAT,
    "rewritten": Outcome.FLOAT,
    "fp16": Outcome.FP16,
    "int8-weights": Outcome.WEIGHT_ONLY,
    "all int8": Outcome.INT8,
    "int8": Outcome.INT8,
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
        self.candidates = [Candidate(name, OUTCOMES[name], losses.get(name, 0.0)) for name in milliseconds]
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
        names = ["cleaned", *(name for name in OUTCOMES if name != "cleaned" and random.random() < 0.7)]
        spread = random.choice([0.02, 0.2, 1.0])
        table = Table(
            dict(zip(names, np.exp(random.normal(0, spread, len(names))), strict=True)),
            {name: random.uniform(0, 2) for name in names if name != "cleaned"},
            width=random.choice([0.01, 0.1, 0.5]),
            random=random,
        )
        selection = table.selection()
        chosen = selection.written
        written.add(chosen.name)
        assert chosen.outcome is not None
        assert chosen.name == "cleaned" or chosen.loss <= 1
        within = [one for one in table.candidates if one.outcome and (one.name == "cleaned" or one.loss <= 1)]
        for other in within:
            assert table.speedup(other.name, chosen.name).low <= 1, (chosen, other)
            if selection.reduced and other.outcome in (Outcome.FLOAT, Outcome.WEIGHT_ONLY):
                assert table.milliseconds[chosen.name] < table.milliseconds[other.name]
    assert written == set(OUTCOMES) - {"as given"}


def test_all_int8_that_is_better_than_what_was_searched_for_is_written() -> None:
    table = Table(
        {"as given": 3.3, "cleaned": 3.24, "all int8": 1.0, "int8": 1.29}, {"all int8": 0.089, "int8": 0.0965}
    )
    assert table.selection(budget=0.1).written.name == "all int8"
    # It is over this one.
    assert table.selection(budget=0.05).written.name == "cleaned"


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


def test_it_is_undecided_where_int8_seems_to_be_faster_and_this_is_not_shown() -> None:
    undecided = {ratio: Table({"cleaned": ratio, "int8": 1.0}, {}).selector().undecided() for ratio in (0.9, 1.02, 1.2)}
    assert undecided == {0.9: False, 1.02: True, 1.2: False}


def test_what_was_searched_for_is_written_for_a_device_that_is_not_at_hand() -> None:
    table = Table(dict.fromkeys(OUTCOMES, 1.0), {"all int8": 5.0})
    for prefer in Preference:
        assert Selector(table.candidates, None, 1.0, prefer).select().written.name == "int8"
    assert Selector(table.candidates[:5], None, 1.0, Preference.SPEED).select().written.name == "int8-weights"
    assert Selector(table.candidates[:4], None, 1.0, Preference.SPEED).select().written.name == "rewritten"
