"""Axes that recurrent operators want, put on without moving numbers."""

from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgevision.exporters.passes.cleanup import folded


def _model(nodes: list[onnx.NodeProto], **constants: Any) -> onnx.ModelProto:
    return helper.make_model(
        helper.make_graph(
            nodes,
            "axes",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, "batch", 4))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


def _same(model: onnx.ModelProto) -> list[str]:
    """The operators of what it is folded to, which computes the same."""
    found = folded(model)
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    before, after = (ReferenceEvaluator(one).run(None, {"x": x})[0] for one in (model, found))
    np.testing.assert_array_equal(after, before)
    return [node.op_type for node in onnx_ir.from_proto(found).graph]


def _slice(**constants: Any) -> list[str]:
    nodes = [helper.make_node("Slice", ["x", *constants], ["cut"]), helper.make_node("Neg", ["cut"], ["y"])]
    return _same(_model(nodes, **constants))


def test_a_slice_that_takes_everything_goes() -> None:
    assert _slice(starts=[0], ends=[1], axes=[0]) == ["Neg"]
    assert _slice(starts=[0, 0], ends=[2**62, 4], axes=[0, -1]) == ["Neg"]


@pytest.mark.parametrize(
    "constants",
    [
        {"starts": [1], "ends": [4], "axes": [2]},
        {"starts": [0], "ends": [3], "axes": [2]},
        {"starts": [0], "ends": [3], "axes": [1]},  # of how many samples nobody knows
        {"starts": [0, 1], "ends": [1, 4], "axes": [0, 2]},
    ],
)
def test_a_slice_that_may_cut_stays(constants: dict[str, list[int]]) -> None:
    assert _slice(**constants) == ["Slice", "Neg"]


@pytest.mark.parametrize(
    ("axis", "order", "expected"),
    [
        (0, (1, 0, 2, 3), ["Unsqueeze", "Neg"]),
        (-1, (0, 3, 1, 2), ["Unsqueeze", "Neg"]),
        (2, (0, 2, 1, 3), ["Unsqueeze", "Neg"]),
        (0, (1, 0, 3, 2), ["Unsqueeze", "Transpose", "Neg"]),
        (3, (1, 0, 2, 3), ["Unsqueeze", "Transpose", "Neg"]),
    ],
)
def test_an_axis_that_is_put_on_and_moved_is_put_on_there(
    axis: int, order: tuple[int, ...], expected: list[str]
) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["wide"]),
        helper.make_node("Transpose", ["wide"], ["moved"], perm=order),
        helper.make_node("Neg", ["moved"], ["y"]),
    ]
    assert _same(_model(nodes, axis=[axis])) == expected
