"""Records: typed JSON both ways, unknown keys kept, errors that name the field."""

import json
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core.records import Record, record


class Shade(StrEnum):
    LIGHT = "light"
    DARK = "dark"


@record
class Leaf(Record):
    width: int
    share: float = 0.5


@record
class Tree(Record):
    name: str
    shade: Shade = Shade.LIGHT
    tall: bool = False
    pair: tuple[int, int] | None = None
    sizes: tuple[int | str, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    best: Leaf | None = None
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    anything: Any = None


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def extras(kind: type[Record]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text().filter(lambda key: key not in kind.__dataclass_fields__), json_values, max_size=3)


leaves = st.builds(Leaf, width=st.integers(), share=finite, extra=extras(Leaf))
trees = st.builds(
    Tree,
    name=st.text(),
    shade=st.sampled_from(Shade),
    tall=st.booleans(),
    pair=st.none() | st.tuples(st.integers(), st.integers()),
    sizes=st.lists(st.integers() | st.text(), max_size=4).map(tuple),
    leaves=st.lists(leaves, max_size=3).map(tuple),
    best=st.none() | leaves,
    by_name=st.dictionaries(st.text(), leaves, max_size=3),
    figures=st.dictionaries(st.text(), finite, max_size=3),
    extra=extras(Tree),
)


@given(trees)
def test_every_record_survives_json(tree: Tree) -> None:
    assert Tree.from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


def test_unknown_keys_survive_a_round_trip_at_every_depth() -> None:
    document = {
        "name": "oak",
        "age": 300,
        "best": {"width": 1, "share": 0.5, "veins": [1, 2]},
        "leaves": [{"width": 2, "share": 0.5, "colour": {"h": 1}}],
    }
    tree = Tree.from_dict(document)
    assert tree.extra == {"age": 300}
    assert tree.best is not None
    assert tree.best.extra == {"veins": [1, 2]}
    assert tree.to_dict() == document | {"shade": "light", "tall": False}


def test_a_key_called_extra_is_an_unknown_key_like_any_other() -> None:
    document = {"width": 1, "share": 0.5, "extra": {"a": 1}}
    assert Leaf.from_dict(document).to_dict() == document


def test_empty_and_missing_fields_are_left_out() -> None:
    assert Tree(name="oak").to_dict() == {"name": "oak", "shade": "light", "tall": False}


def test_an_integer_becomes_the_float_that_the_field_asks_for() -> None:
    share = Leaf.from_dict({"width": 1, "share": 2}).share
    assert isinstance(share, float)
    assert share == 2.0


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Leaf(width=1).width = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"name": 3}, r"Tree\.name must be str, not 3"),
        ({"name": "a", "tall": 1}, r"Tree\.tall must be bool, not 1"),
        ({"name": "a", "shade": "pink"}, r"Tree\.shade must be one of light, dark, not 'pink'"),
        ({"name": "a", "shade": []}, r"Tree\.shade must be one of light, dark, not \[\]"),
        ({"name": "a", "pair": [1]}, r"Tree\.pair must be"),
        ({"name": "a", "pair": [1, "2"]}, r"Tree\.pair\[1\] must be int, not '2'"),
        ({"name": "a", "sizes": "12"}, r"Tree\.sizes must be"),
        ({"name": "a", "sizes": [1, None]}, r"Tree\.sizes\[1\] must be"),
        ({"name": "a", "sizes": [True]}, r"Tree\.sizes\[0\] must be"),
        ({"name": "a", "best": []}, r"Tree\.best must be an object, not \[\]"),
        ({"name": "a", "best": {"width": True}}, r"Tree\.best\.width must be int, not True"),
        ({"name": "a", "leaves": [{"width": 1}, {"width": "x"}]}, r"Tree\.leaves\[1\]\.width must be int, not 'x'"),
        ({"name": "a", "leaves": [{}]}, r"Tree\.leaves\[0\] lacks width"),
        ({"name": "a", "by_name": {"x": {"share": 1}}}, r"Tree\.by_name\.x lacks width"),
        ({"name": "a", "figures": {"f1": "high"}}, r"Tree\.figures\.f1 must be float, not 'high'"),
        ({"name": "a", "figures": {"f1": True}}, r"Tree\.figures\.f1 must be float, not True"),
        ({}, r"Tree lacks name$"),
        (["name"], r"Tree must be an object, not \['name'\]"),
    ],
)
def test_a_wrong_document_names_the_field(document: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tree.from_dict(document)


@given(json_values)
def test_any_json_value_is_a_record_or_a_value_error(document: object) -> None:
    try:
        leaf = Leaf.from_dict(document)
    except ValueError:
        return
    assert isinstance(leaf.width, int)
