"""What is quantised as a whole: an operator together with the activation that its int8 kernel applies on the way."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir

from edgevision.exporters.passes.ir import constant, constant_input, input_at, only_reader

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
        groups: of a convolution's channels.
        dilated_depthwise: a convolution of single channels whose taps do not lie next to each other.
    """

    name: str
    operator: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    channels: tuple[int, int] | None = None
    groups: int = 1
    dilated_depthwise: bool = False


def find_units(model: onnx_ir.Model, operators: Iterable[str]) -> tuple[Unit, ...]:
    """The units of ``model`` among ``operators``, in the order of the graph."""
    wanted = frozenset(operators)
    units: list[Unit] = []
    fused_already: set[str] = set()
    for node in model.graph:
        if node.op_type not in wanted or node.domain not in ("", "ai.onnx") or node.name in fused_already:
            continue
        weight = constant_input(node, 1) if node.op_type in WEIGHTED else None
        if node.op_type in WEIGHTED and (weight is None or not _has_weights(node, weight)):
            continue
        fused = [node]
        following = only_reader(node.outputs[0])
        if following is not None and _is_clipping(following):
            fused.append(following)
        inputs = [value for value in dict.fromkeys(node.inputs) if value is not None and constant(value) is None]
        if not inputs or constant_input(node, 0) is not None:
            continue
        if not all(map(_may_be_float, (*inputs, node.outputs[0]))):
            continue
        names = tuple(str(one.name) for one in fused)
        fused_already.update(names)
        units.append(
            Unit(
                name=names[0],
                operator=node.op_type,
                nodes=names,
                inputs=tuple(str(value.name) for value in inputs),
                output=str(fused[-1].outputs[0].name),
                channels=None if weight is None else _channels(node, weight.shape),
                groups=node.attributes.get_int("group", 1) if node.op_type == "Conv" else 1,
                dilated_depthwise=weight is not None and _is_dilated_depthwise(node, weight.shape),
            )
        )
    return tuple(units)


def channel_axis(node: onnx_ir.Node) -> int:
    """The axis of the weights that counts what the node gives."""
    if node.op_type == "Gemm":
        return 0 if node.attributes.get_int("transB", 0) else 1
    return 0 if node.op_type == "Conv" else 1


def _has_weights(node: onnx_ir.Node, weight: np.ndarray) -> bool:
    plain = weight.dtype == np.float32 and weight.ndim == (4 if node.op_type.startswith("Conv") else 2)
    options = node.attributes
    if node.op_type == "Gemm":
        factors = options.get_float("alpha", 1.0) == options.get_float("beta", 1.0) == 1.0
        return plain and options.get_int("transA", 0) == 0 and factors and _has_bias_by_channel(node)
    # Its output channels are spread over two axes, which no per-channel scale can follow.
    grouped = node.op_type == "ConvTranspose" and options.get_int("group", 1) != 1
    bias = input_at(node, 2) is None or constant_input(node, 2) is not None
    return plain and not grouped and bias


def _has_bias_by_channel(node: onnx_ir.Node) -> bool:
    """Whether what a Gemm adds is constant and the same for every row; it could be any matrix."""
    if input_at(node, 2) is None:
        return True
    added = constant_input(node, 2)
    return added is not None and (added.ndim == 0 or added.size == added.shape[-1])


def _may_be_float(value: onnx_ir.Value) -> bool:
    """Whether it is not known to be other than float32, as shapes are."""
    return value.dtype in (None, onnx_ir.DataType.UNDEFINED, onnx_ir.DataType.FLOAT)


def _is_clipping(node: onnx_ir.Node) -> bool:
    """Whether ``node`` only clips at zero and above, which quantising to 0..high does anyway."""
    if node.op_type == "Relu":
        return True
    low = constant_input(node, 1) if node.op_type == "Clip" else None
    return low is not None and not low.any()


def _channels(node: onnx_ir.Node, shape: tuple[int, ...]) -> tuple[int, int]:
    axis = channel_axis(node)
    return shape[1 - axis], shape[axis]


def _is_dilated_depthwise(node: onnx_ir.Node, shape: tuple[int, ...]) -> bool:
    apart = max(node.attributes.get_ints("dilations", [1]), default=1) > 1
    return node.op_type == "Conv" and apart and shape[1] == 1 and node.attributes.get_int("group", 1) > 1
