"""What a verdict says."""

import pytest

from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.targets import find_target
from edgevision.exporters.quantization.verdict_words import expectation

EVERYTHING = Plan(frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (EVERYTHING, "int8 for arm64-dotprod, expected 2.5 times as fast, not measured"),
        (Plan(frozenset({"a"})), "int8 for arm64-dotprod, expected at most 2.5 times as fast, not measured"),
        (
            Plan(EVERYTHING.int8, a16w8=frozenset({"a"})),
            "int8 for arm64-dotprod with activations of 16 bits in 1 of 2 operators,"
            " expected at most 2.5 times as fast, not measured",
        ),
    ],
)
def test_a_part_in_int8_is_not_expected_to_gain_as_much_as_everything(plan: Plan, said: str) -> None:
    assert expectation(plan, EVERYTHING, find_target("arm64-dotprod")) == said
