"""Who makes and who reads each tensor."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx.helper import make_graph, make_node, make_tensor_value_info

from edgevision.exporters.quantization.graph import Graph, attributes, initializer, tensors_read

Build = Callable[..., onnx.ModelProto]


def residual(build: Build) -> onnx.ModelProto:
    """A convolution, added to its own activation and to itself."""
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], group=4),
        make_node("Relu", ["c"], ["r"]),
        make_node("Add", ["c", "r"], ["s"]),
        make_node("Add", ["s", "s"], ["y"]),
    ]
    return build(nodes, {"w": np.ones((4, 1, 1, 1), np.float32)}, y=None, r=None)


def conditional(build: Build) -> onnx.ModelProto:
    """A convolution whose result, times a constant, only the branches of an If take."""
    branches = {}
    for branch, operator in (("then_branch", "Mul"), ("else_branch", "Add")):
        inner = make_node(operator, ["c", "k"], [f"{branch}_y"])
        output = make_tensor_value_info(f"{branch}_y", onnx.TensorProto.FLOAT, None)
        branches[branch] = make_graph([inner], branch, [], [output])
    nodes = [
        make_node("Conv", ["x", "w"], ["c"]),
        make_node("Relu", ["c"], ["r"]),
        make_node("If", ["condition"], ["i"], **branches),
        make_node("Add", ["r", "i"], ["y"]),
    ]
    constants = {"w": np.ones((4, 4, 1, 1), np.float32), "k": np.float32(3), "condition": np.array(True)}
    return build(nodes, constants)


def test_each_tensor_has_its_maker_and_its_readers_in_order(build: Build) -> None:
    graph = Graph(residual(build))
    assert {tensor: node.op_type for tensor, node in graph.makers.items()} == {
        "c": "Conv",
        "r": "Relu",
        "s": "Add",
        "y": "Add",
    }
    assert [node.name for node in graph.readers["c"]] == ["r", "s"]
    assert [node.name for node in graph.readers["s"]] == ["y", "y"]
    assert list(graph.nodes) == ["c", "r", "s", "y"]


def test_a_tensor_that_several_take_or_the_caller_has_no_only_reader(build: Build) -> None:
    graph = Graph(residual(build))
    assert graph.only_reader("c") is None
    assert graph.only_reader("s") is None
    # Taken once, and an output of the graph.
    assert graph.only_reader("r") is None
    assert graph.only_reader("y") is None
    reader = graph.only_reader("w")
    assert reader is not None
    assert reader.name == "c"


def test_asking_for_a_reader_adds_no_tensor(build: Build) -> None:
    graph = Graph(residual(build))
    before = set(graph.readers)
    assert graph.only_reader("nothing") is None
    assert set(graph.readers) == before


def test_what_subgraphs_take_is_read_too(build: Build) -> None:
    graph = Graph(conditional(build))
    assert graph.only_reader("c") is None
    assert [node.name for node in graph.readers["c"]] == ["r", "i", "i"]
    assert tensors_read(graph.nodes["i"]) == ["condition", "c", "k", "c", "k"]


def test_constants_are_no_inputs_even_where_the_graph_lists_them(build: Build) -> None:
    model = residual(build)
    model.graph.input.append(make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4, 1, 1, 1]))
    graph = Graph(model)
    assert graph.inputs == ["x"]
    assert graph.outputs == ["y", "r"]
    assert graph.constants["w"].shape == (4, 1, 1, 1)


def test_an_input_that_is_left_out_or_computed_is_no_constant(build: Build) -> None:
    nodes = [make_node("Clip", ["x", "", "high"], ["y"])]
    graph = Graph(build(nodes, {"high": np.float32(6)}))
    node = graph.nodes["y"]
    assert [graph.constant(node, position) for position in range(4)] == [None, None, 6, None]


def test_attributes_are_python_values() -> None:
    node = make_node("Conv", ["x", "w"], ["y"], strides=[2, 1], group=3, auto_pad="SAME_UPPER")
    assert attributes(node) == {"strides": [2, 1], "group": 3, "auto_pad": b"SAME_UPPER"}


def test_an_initializer_keeps_shape_dtype_and_values_of_any_memory_order() -> None:
    turned = np.arange(6, dtype=np.int8).reshape(2, 3).T
    for values in (turned, np.float32(0.5), np.array(7, np.uint8)):
        tensor = initializer("name", values)
        found = onnx.numpy_helper.to_array(tensor)
        assert tensor.name == "name"
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values, strict=True)
