"""Models of a few nodes, and what is asked of them and of what they become."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

Array = np.ndarray[Any, Any]
Shape = Sequence[int | str] | None

PICTURE = ("batch", 3, "height", "width")


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any] | None = None,
    shape: Shape = PICTURE,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """A model from ``x`` to ``outputs``; a node without a name takes that of what it gives."""
    for node in nodes:
        node.name = node.name or f"node_{node.output[0]}"
    graph = make_graph(
        nodes,
        "graph",
        [make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [from_array(np.asarray(values), name) for name, values in (constants or {}).items()],
    )
    return make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)


def run(model: onnx.ModelProto, x: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # What a graph without shapes makes the engine say is not what is looked at here.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, {"x": x})
    return outputs


def operators(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def assert_same(model: onnx.ModelProto, other: onnx.ModelProto | None, *inputs: Array) -> None:
    """Both give the same to 1e-6 of the range, for each of ``inputs``."""
    assert other is not None
    for x in inputs:
        for expected, found in zip(run(model, x), run(other, x), strict=True):
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= 1e-6 * np.ptp(expected)


SLICES = {
    "first": np.array([0]),
    "second": np.array([1]),
    "last": np.array([np.iinfo(np.int64).max]),
    "seventh": np.array([7]),
    "rows": np.array([2]),
    "columns": np.array([3]),
    "channels": np.array([1]),
    "by_two": np.array([2]),
    "by_three": np.array([3]),
    "around": np.array([0, 2, 0, 0, 0, 1, 0, 0]),
    "nothing": np.zeros(8, np.int64),
    "at_top": np.array([0, 2, 1, 0, 0, 1, 0, 0]),
    "cropping": np.array([0, 2, 0, 0, 0, -1, 0, 0]),
    "zero": np.float32(0),
    "one_zero": np.zeros(1, np.float32),
    "one": np.float32(1),
    "axes": np.array([0, 1, 2, 3]),
}
ROWS = ("first", "last", "rows", "by_two")


def everything() -> onnx.ModelProto:
    """A graph with something for every rewriting."""
    nodes = [
        make_node("Conv", ["x", "few"], ["drawn"], pads=[1, 1, 1, 1]),
        make_node("PRelu", ["drawn", "slope"], ["bent"]),
        make_node("HardSwish", ["bent"], ["gated"]),
        make_node("Slice", ["gated", *ROWS], ["sliced"]),
        make_node("Pad", ["sliced", "around"], ["padded"]),
        make_node("ReduceMean", ["padded", "axes"], ["y"], keepdims=0),
    ]
    return model_of(nodes, SLICES | {"few": random(3, 3, 3, 3), "slope": random(3, 1, 1), "axes": np.array([2, 3])})


def constants_of(model: onnx.ModelProto) -> dict[str, Array]:
    """The initializers by name."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


class GraphView:
    """A model's main graph, to ask about: nodes by name, the makers and readers of tensors, the constants as arrays."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = {node.name: node for node in model.graph.node}
        self.makers = {name: node for node in model.graph.node for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.constants = constants_of(model)
