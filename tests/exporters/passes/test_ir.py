"""Who makes and who reads each value, and which are constant."""

import numpy as np
import onnx
import onnx_ir
from onnx.helper import make_graph, make_node, make_tensor_value_info
from small_models import model_of

from edgevision.exporters.passes.ir import constant, constant_input, inputs_of, only_reader, to_ir, to_proto


def values_of(model: onnx_ir.Model) -> dict[str | None, onnx_ir.Value]:
    given = [value for node in model.graph for value in (*node.inputs, *node.outputs) if value is not None]
    return {value.name: value for value in given}


def residual() -> onnx.ModelProto:
    """A convolution, added to its own activation and to itself."""
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], group=3),
        make_node("Relu", ["c"], ["r"]),
        make_node("Add", ["c", "r"], ["s"]),
        make_node("Add", ["s", "s"], ["y"]),
    ]
    return model_of(nodes, {"w": np.ones((3, 1, 1, 1), np.float32)}, outputs=("y", "r"))


def conditional() -> onnx.ModelProto:
    """A convolution whose result, times a constant, only the branches of an If take, and another that only one does."""
    branches = {}
    for branch, operator in (("then_branch", "Mul"), ("else_branch", "Add")):
        inner = make_node(operator, ["c" if operator == "Mul" else "d", "k"], [f"{branch}_y"])
        output = make_tensor_value_info(f"{branch}_y", onnx.TensorProto.FLOAT, None)
        branches[branch] = make_graph([inner], branch, [], [output])
    nodes = [
        make_node("Conv", ["x", "w"], ["c"]),
        make_node("Conv", ["x", "w"], ["d"]),
        make_node("Relu", ["c"], ["r"]),
        make_node("If", ["condition"], ["i"], **branches),
        make_node("Add", ["r", "i"], ["y"]),
    ]
    constants = {"w": np.ones((3, 3, 1, 1), np.float32), "k": np.float32(3), "condition": np.array(True)}
    return model_of(nodes, constants)


def test_a_tensor_that_several_take_or_the_caller_has_no_only_reader() -> None:
    values = values_of(to_ir(residual()))
    assert only_reader(values["c"]) is None
    # Taken twice by one node.
    assert only_reader(values["s"]) is None
    # Taken once, and an output of the graph.
    assert only_reader(values["r"]) is None
    assert only_reader(values["y"]) is None
    reader = only_reader(values["w"])
    assert reader is not None
    assert reader.op_type == "Conv"


def test_what_a_branch_takes_has_no_only_reader() -> None:
    values = values_of(to_ir(conditional()))
    assert only_reader(values["c"]) is None
    assert only_reader(values["d"]) is None


def test_constants_are_no_inputs_even_where_the_graph_lists_them() -> None:
    model = residual()
    model.graph.input.append(make_tensor_value_info("w", onnx.TensorProto.FLOAT, [3, 1, 1, 1]))
    ir = to_ir(model)
    assert inputs_of(ir) == ["x"]
    weight = constant(values_of(ir)["w"])
    assert weight is not None
    assert weight.shape == (3, 1, 1, 1)


def test_an_input_that_is_left_out_or_computed_is_no_constant() -> None:
    (node,) = to_ir(model_of([make_node("Clip", ["x", "", "high"], ["y"])], {"high": np.float32(6)})).graph
    assert [constant_input(node, position) for position in range(4)] == [None, None, 6, None]


def test_values_have_the_shapes_that_follow_and_the_model_is_given_back_as_it_was() -> None:
    model = residual()
    ir = to_ir(model)
    shape = values_of(ir)["c"].shape
    assert shape is not None
    assert shape[1] == 3
    back = to_proto(ir)
    assert list(back.graph.node) == list(model.graph.node)
    assert list(back.graph.output) == list(model.graph.output)
    assert not back.graph.value_info
