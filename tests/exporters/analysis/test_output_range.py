"""The range of an output is read off the operator that ends the graph, where that bounds it."""

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from edgevision.exporters.analysis.output_range import clipped_range


def chain(*nodes: tuple[str, list[str], dict[str, Any]], bounds: dict[str, float] | None = None) -> onnx.ModelProto:
    """A model of ``nodes`` (operator, further inputs, attributes) one after another."""
    made, last = [], "input"
    for index, (operator, more, attributes) in enumerate(nodes):
        made.append(helper.make_node(operator, [last, *more], [f"value_{index}"], **attributes))
        last = f"value_{index}"
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("input", last)]
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [bound]) for name, bound in (bounds or {}).items()]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 4])
    return helper.make_model(helper.make_graph(made, "chain", value[:1], value[1:], [*constants, shape]))


TANH, SIGMOID, RELU = (("Tanh", [], {}), ("Sigmoid", [], {}), ("Relu", [], {}))
RESHAPE, FLATTEN = ("Reshape", ["shape"], {}), ("Flatten", [], {"axis": 1})


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ((TANH,), (-1, 1)),
        ((SIGMOID,), (0, 1)),
        ((RELU, TANH), (-1, 1)),
        ((TANH, RESHAPE), (-1, 1)),
        ((SIGMOID, RESHAPE, FLATTEN, ("Identity", [], {})), (0, 1)),
        ((TANH, RELU), None),
        ((RELU,), None),
        ((RESHAPE,), None),
        ((("Clip", ["low", "high"], {}),), (-0.5, 2)),
        ((("Clip", ["low", "high"], {}), FLATTEN), (-0.5, 2)),
        ((("Clip", ["low"], {}),), None),
        ((("Clip", ["", "high"], {}),), None),
    ],
)
def test_the_range_of_the_last_operator_is_known(nodes: Any, expected: tuple[float, float] | None) -> None:
    assert clipped_range(chain(*nodes, bounds={"low": -0.5, "high": 2.0})) == expected


def test_an_output_that_is_an_input_has_no_known_range() -> None:
    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 4])
    assert clipped_range(helper.make_model(helper.make_graph([], "empty", [value], [value]))) is None


def test_bounds_that_are_computed_are_not_known() -> None:
    model = chain(("Clip", ["low", "high"], {}))
    for name in ("low", "high"):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, []))
    assert clipped_range(model) is None


def test_a_tensor_that_is_no_output_does_not_matter() -> None:
    model = chain(TANH)
    model.graph.node.append(helper.make_node("Sigmoid", ["input"], ["unused"]))
    assert clipped_range(model) == (-1, 1)
