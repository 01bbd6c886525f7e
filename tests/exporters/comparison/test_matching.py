"""Layers of two graphs are matched by names, else by what they are and where."""

from collections.abc import Sequence

from edgevision.exporters.comparison.layer_graph import Layer
from edgevision.exporters.comparison.matching import match_layers


def layers(*described: tuple[str, str]) -> list[Layer]:
    return [Layer(f"node_{name}", operator, name, (), frozenset([name])) for name, operator in described]


def matched(
    first: Sequence[Layer], second: Sequence[Layer], shapes: dict[str, tuple[int, ...]] | None = None
) -> list[tuple[str, str, bool]]:
    shapes = {layer.output: (1, 8) for layer in (*first, *second)} | (shapes or {})
    return [(m.first.output, m.second.output, m.by_name) for m in match_layers(first, second, shapes, shapes)]


def test_names_count_most() -> None:
    first = layers(("a", "Conv"), ("b", "Conv"), ("c", "Relu"))
    second = layers(("b", "Conv"), ("a", "Conv"), ("c", "Relu"))
    assert matched(first, second) == [("b", "b", True), ("a", "a", True), ("c", "c", True)]


def test_a_name_on_the_way_counts_too() -> None:
    first = layers(("a", "Conv"))
    second = [Layer("node", "Conv", "a_computed", (), frozenset(["a_computed", "a_quantized", "a"]))]
    assert matched(first, second) == [("a", "a_computed", True)]


def test_what_was_folded_into_another_has_no_counterpart() -> None:
    first = layers(("c", "Conv"), ("n", "BatchNormalization"), ("r", "Relu"), ("s", "Conv"))
    second = layers(("n", "Conv"), ("r", "Relu"), ("s", "Conv"))
    assert matched(first, second) == [("n", "n", True), ("r", "r", True), ("s", "s", True)]


def test_without_names_operators_and_shapes_are_followed() -> None:
    first = layers(("a", "Conv"), ("b", "Relu"), ("c", "Conv"), ("d", "Relu"))
    second = layers(("p", "Conv"), ("q", "Relu"), ("extra", "Mul"), ("r", "Conv"), ("s", "Relu"))
    assert matched(first, second) == [("a", "p", False), ("b", "q", False), ("c", "r", False), ("d", "s", False)]


def test_a_shape_that_differs_is_no_match() -> None:
    first, second = layers(("a", "Conv"), ("b", "Conv")), layers(("a", "Conv"), ("q", "Conv"))
    assert matched(first, second, {"q": (1, 9)}) == [("a", "a", True)]


def test_names_that_are_mere_numbers_are_not_believed() -> None:
    # One exporter numbers from the first layer on, the other from the second.
    first = layers(("1", "Conv"), ("2", "Relu"), ("3", "Conv"), ("4", "Relu"))
    second = layers(("2", "Conv"), ("3", "Relu"), ("4", "Conv"), ("5", "Relu"))
    assert matched(first, second) == [("1", "2", False), ("2", "3", False), ("3", "4", False), ("4", "5", False)]
