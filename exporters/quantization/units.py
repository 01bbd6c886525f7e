"""What is quantised as a whole: an operator together with the activation that its int8 kernel applies on the way."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from edgevision.exporters.quantization.graph import Graph, attributes

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators whose second input is a constant of weights, int8 by channel."""

FOLLOWERS = frozenset(
    {"DepthToSpace", "Flatten", "Identity", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
"""Operators that only move or choose values: they take whatever format reaches them, at the same scale."""


@dataclass(frozen=True)
class Unit:
    """One decision between int8 and float.

    Attributes:
        name: of the operator's node.
        operator: its type.
        nodes: the names of the operator's node and of the activation fused into it.
        inputs: the tensors it takes that are computed, not constant.
        output: the tensor it gives, after the activation.
        channels: (in, out) of a weighted operator, for one group; ``None`` for others.
    """

    name: str
    operator: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    channels: tuple[int, int] | None = None


def find_units(graph: Graph, operators: Iterable[str]) -> tuple[Unit, ...]:
    """The units of ``graph`` among ``operators``, in the order of the graph."""
    wanted = frozenset(operators)
    others = _not_float(graph.model)
    units: list[Unit] = []
    fused_already: set[str] = set()
    for node in graph.model.graph.node:
        if node.op_type not in wanted or node.domain not in ("", "ai.onnx") or node.name in fused_already:
            continue
        weight = graph.constant(node, 1) if node.op_type in WEIGHTED else None
        if node.op_type in WEIGHTED and (weight is None or not _has_weights(node, weight, graph)):
            continue
        last, fused = node, [node.name]
        following = graph.only_reader(node.output[0])
        if following is not None and _is_clipping(following, graph):
            last, fused = following, [node.name, following.name]
        inputs = tuple(dict.fromkeys(name for name in node.input if name and name not in graph.constants))
        if not inputs or any(name in graph.constants for name in node.input[:1]):
            continue
        if not others.isdisjoint((*inputs, node.output[0])):
            continue
        fused_already.update(fused)
        channels = None if weight is None else _channels(node, weight.shape)
        units.append(Unit(node.name, node.op_type, tuple(fused), inputs, last.output[0], channels))
    return tuple(units)


def channel_axis(node: onnx.NodeProto) -> int:
    """The axis of the weights that counts what the node gives."""
    if node.op_type == "Gemm":
        return 0 if attributes(node).get("transB", 0) else 1
    return 0 if node.op_type == "Conv" else 1


def _has_weights(node: onnx.NodeProto, weight: np.ndarray, graph: Graph) -> bool:
    options = attributes(node)
    plain = weight.dtype == np.float32 and weight.ndim == (4 if node.op_type.startswith("Conv") else 2)
    if node.op_type == "Gemm":
        factors = options.get("alpha", 1.0) == options.get("beta", 1.0) == 1.0
        return plain and options.get("transA", 0) == 0 and factors and _has_bias_by_channel(node, graph)
    # Its output channels are spread over two axes, which no per-channel scale can follow.
    grouped = node.op_type == "ConvTranspose" and options.get("group", 1) > 1
    bias = len(node.input) < 3 or not node.input[2] or node.input[2] in graph.constants
    return plain and not grouped and bias


def _has_bias_by_channel(node: onnx.NodeProto, graph: Graph) -> bool:
    """Whether what a Gemm adds is constant and the same for every row; it could be any matrix."""
    if len(node.input) < 3 or not node.input[2]:
        return True
    added = graph.constant(node, 2)
    return added is not None and (added.ndim == 0 or added.size == added.shape[-1])


def _not_float(model: onnx.ModelProto) -> frozenset[str]:
    """The tensors known to be other than float32, such as shapes."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    return frozenset(name for name, kind in known.items() if kind not in (TensorProto.UNDEFINED, TensorProto.FLOAT))


def _is_clipping(node: onnx.NodeProto, graph: Graph) -> bool:
    """Whether ``node`` only clips at zero and above, which quantising to 0..high does anyway."""
    if node.op_type == "Relu":
        return True
    low = graph.constant(node, 1) if node.op_type == "Clip" else None
    return low is not None and not low.any()


def _channels(node: onnx.NodeProto, shape: tuple[int, ...]) -> tuple[int, int]:
    axis = channel_axis(node)
    return shape[1 - axis], shape[axis]
