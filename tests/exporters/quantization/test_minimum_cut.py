"""The split of units between int8 and float that saves most, against trying all of them."""

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from edgevision.exporters.quantization.minimum_cut import fastest_split

NAMES = "abcdef"


def saved(chosen: frozenset[str], gain: dict[str, float], borders: list[tuple[str, str, float]]) -> float:
    return sum(gain[name] for name in chosen) - sum(c for a, b, c in borders if (a in chosen) != (b in chosen))


@given(
    gain=st.fixed_dictionaries({name: st.floats(-20, 20) for name in NAMES}),
    borders=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 10)), max_size=8),
)
def test_no_other_split_saves_more(gain: dict[str, float], borders: list[tuple[str, str, float]]) -> None:
    every = chain.from_iterable(combinations(NAMES, count) for count in range(len(NAMES) + 1))
    best = max(saved(frozenset(names), gain, borders) for names in every)
    assert saved(fastest_split(gain, borders), gain, borders) >= best - 1e-6


def test_what_loses_a_little_between_what_gains_is_taken_along() -> None:
    borders = [("a", "b", 5.0), ("b", "c", 5.0)]
    assert fastest_split({"a": 10, "b": -3, "c": 10}, borders) == {"a", "b", "c"}


def test_an_island_that_gains_less_than_its_conversions_stays_float() -> None:
    borders = [("a", "b", 5.0), ("b", "c", 5.0)]
    assert fastest_split({"a": -30, "b": 8, "c": -30}, borders) == frozenset()


def test_nothing_to_split_is_nothing() -> None:
    assert fastest_split({}, []) == frozenset()
