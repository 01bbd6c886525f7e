"""Exact rewritings that engines run faster, or that let more of a graph be int8; each is kept only where it pays."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxscript.optimizer
from onnx import version_converter
from onnx.helper import make_node
from onnx_ir.passes.common import NameFixPass, RemoveInitializersFromInputsPass, RemoveUnusedNodesPass
from onnxscript.rewriter import RULE_NAME_TAG, RewritePass
from onnxscript.rewriter.pattern import RewriteRule
from onnxscript.rewriter.rules import common as rules

from edgevision.core.errors import InputError
from edgevision.exporters.passes.cleanup import without_default_inputs
from edgevision.exporters.passes.graph import Array, Graph, attributes, initializer
from edgevision.exporters.passes.transposed_convolutions import (
    agree,
    measured_speedup,
    open_on_one_thread,
    rewrite_transposed_convolutions,
)

_log = logging.getLogger(__name__)

_OPSET = 18
# The first in which constants are no inputs.
_IR_VERSION = 4
# Timings of the same graph differ by as much.
_NO_SLOWER = 0.98


def _is_dense_layer(_: object, values: onnx_ir.Value, weight: onnx_ir.Value, bias: onnx_ir.Value) -> bool:
    """Other than Add, Gemm does not let its bias make the sum larger than the product."""
    return [value.shape and len(value.shape) for value in (values, weight, bias)] == [2, 2, 1]


_FOLDING = [
    rules.fuse_batchnorm_into_conv_rule,
    rules.fuse_batchnorm_into_conv_transpose_rule,
    rules.fuse_batchnorm_into_gemm_rule,
    rules.fuse_pad_into_conv_rule,
    RewriteRule(
        lambda op, values, weight, bias: op.Add(op.MatMul(values, weight), bias),
        lambda op, values, weight, bias: op.Gemm(values, weight, bias),
        _is_dense_layer,
    ),
    rules.successive_relu_rule,
    rules.successive_clip_rule,
]


@dataclass(frozen=True)
class Pass:
    """One rewriting: ``apply`` gives the new model, or ``None`` where there is nothing to do."""

    name: str
    apply: Callable[[onnx.ModelProto], onnx.ModelProto | None]


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """In a form that the other passes understand: a current opset, constants that are no inputs, unique names.

    Raises:
        InputError: the model cannot be brought to a current opset.
    """
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=_OPSET)
    if opset < _OPSET:
        # Its inference of shapes needs the constants out of the inputs.
        model = without_default_inputs(model)
        # Of older ones it takes every constant for an input.
        model.ir_version = max(model.ir_version, _IR_VERSION)
        try:
            model = version_converter.convert_version(model, _OPSET)
        except Exception as error:  # its exceptions are those of its C++ side
            raise InputError(f"the model's opset {opset} cannot be raised to {_OPSET}: {_first(error)}") from error
    ir = onnx_ir.from_proto(model)
    RemoveInitializersFromInputsPass()(ir)
    onnxscript.optimizer.optimize(ir)
    RewritePass(_FOLDING)(ir)
    RemoveUnusedNodesPass()(ir)
    NameFixPass()(ir)
    for node in ir.graph:
        node.metadata_props.pop(RULE_NAME_TAG, None)
    model = onnx_ir.to_proto(ir)
    named: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in named:
            node.name = f"node_{index}_{node.op_type}"
        named.add(node.name)
    return model


def prepare(
    model: onnx.ModelProto, examples: Sequence[Array], passes: Sequence[Pass]
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Apply each of ``passes`` that computes the same on ``examples`` and measures no slower on one thread here.

    Returns:
        The rewritten model and what was done, for the user to read.
    """
    feeds = dict(zip(Graph(model).inputs, examples, strict=True))
    notes = []
    before = open_on_one_thread(model)
    for one in passes:
        changed = one.apply(model)
        if changed is None:
            continue
        after = open_on_one_thread(changed)
        if not agree(before, after, feeds):
            _log.debug("%s: not exact here", one.name)
            continue
        speedup = measured_speedup(before, after, feeds)
        _log.debug("%s: %.3f times as fast", one.name, speedup)
        if speedup >= _NO_SLOWER:
            model, before = changed, after
            # How much faster by itself is no figure of the verdict, whose forms are measured in one run.
            notes.append(one.name)
    return model, tuple(notes)


def pool_by_operator(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """A mean over height and width as GlobalAveragePool, which has int8 kernels."""
    graph = Graph(model)

    def pooled(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        axes = graph.constant(node, 1) if node.op_type == "ReduceMean" else None
        if axes is None or not _is_picture(node.input[0], model) or sorted(axis % 4 for axis in axes) != [2, 3]:
            return None
        if attributes(node).get("keepdims", 1):
            return [make_node("GlobalAveragePool", [node.input[0]], [node.output[0]], node.name)]
        pool = make_node("GlobalAveragePool", [node.input[0]], [f"{node.output[0]}_pooled"], node.name)
        return [pool, make_node("Flatten", [pool.output[0]], [node.output[0]], f"{node.name}_flatten")]

    return _with_replaced(model, pooled, {})


def stride_by_convolution(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Every second pixel of each channel, and channels of zeros around them, as one strided 1x1 convolution.

    This is the shortcut without weights of He et al. 2015, option A; slicing and padding copy the picture three times,
    and break the chain of int8 operators.
    """
    graph = Graph(model)
    shapes = _shapes(model)
    constants: dict[str, Array] = {}
    gone: set[str] = set()

    def convolved(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.name in gone:
            return []
        if node.op_type != "Pad":
            return None
        pads = _padding(node, graph)
        if pads is None or len(pads) != 8 or any(pads[axis] for axis in (0, 2, 3, 4, 6, 7)) or min(pads) < 0:
            return None
        slices, tensor, strides = [], node.input[0], [1, 1]
        while (maker := graph.makers.get(tensor)) is not None and (step := _striding(maker, graph)) is not None:
            if graph.only_reader(tensor) is None:
                return None
            strides[step[0] - 2] *= step[1]
            slices.append(maker.name)
            tensor = maker.input[0]
        shape = shapes.get(tensor, [])
        if not slices or len(shape) != 4 or not isinstance(channels := shape[1], int):
            return None
        kernel = np.zeros((pads[1] + channels + pads[5], channels, 1, 1), np.float32)
        kernel[pads[1] : pads[1] + channels, :, 0, 0] = np.eye(channels)
        name = f"{node.name}_weight"
        constants[name] = kernel
        gone.update(slices)
        return [make_node("Conv", [tensor, name], [node.output[0]], node.name, kernel_shape=[1, 1], strides=strides)]

    # From the end: a Pad is met before the slices that it makes superfluous.
    return _with_replaced(model, convolved, constants, backwards=True)


def prelu_by_convolution(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """PReLU with slopes a as x + (1 - a) Relu(-x), both products as depthwise 1x1 convolutions.

    ONNX Runtime's PRelu is a generic broadcast outside its blocked layout; these are done inside it, and the activation
    and the sum by the convolutions themselves.
    """
    graph, shapes = Graph(model), _shapes(model)
    constants: dict[str, Array] = {}

    def rewritten(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        slope = graph.constant(node, 1) if node.op_type == "PRelu" else None
        shape = shapes.get(node.input[0], [])
        if slope is None or slope.dtype != np.float32 or len(shape) != 4 or not isinstance(shape[1], int):
            return None
        channels = shape[1]
        if slope.size != 1 and slope.shape[-3:] != (channels, 1, 1):
            return None
        x, y = node.input[0], node.output[0]
        constants[f"{y}_minus"] = np.full((channels, 1, 1, 1), -1, np.float32)
        constants[f"{y}_slope"] = np.broadcast_to(1 - slope.reshape(-1), channels).reshape(-1, 1, 1, 1)
        depthwise: dict[str, Any] = {"group": channels, "kernel_shape": [1, 1]}
        return [
            make_node("Conv", [x, f"{y}_minus"], [f"{y}_turned"], f"{node.name}_turn", **depthwise),
            make_node("Relu", [f"{y}_turned"], [f"{y}_below"], f"{node.name}_relu"),
            make_node("Conv", [f"{y}_below", f"{y}_slope"], [f"{y}_raised"], f"{node.name}_raise", **depthwise),
            make_node("Add", [f"{y}_raised", x], [y], node.name),
        ]

    return _with_replaced(model, rewritten, constants)


def gate_by_convolution(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """HardSigmoid as a depthwise 1x1 convolution clipped to 0..1, HardSwish as x times that: all have int8 kernels."""
    shapes = _shapes(model)
    constants: dict[str, Array] = {}

    def rewritten(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type not in ("HardSigmoid", "HardSwish"):
            return None
        x, y = node.input[0], node.output[0]
        shape = shapes.get(x, [])
        if len(shape) != 4 or not isinstance(shape[1], int):
            return None
        options = attributes(node)
        swish = node.op_type == "HardSwish"
        alpha, beta = (1 / 6, 0.5) if swish else (options.get("alpha", 0.2), options.get("beta", 0.5))
        channels = shape[1]
        constants[f"{y}_slope"] = np.full((channels, 1, 1, 1), alpha, np.float32)
        constants[f"{y}_offset"] = np.full(channels, beta, np.float32)
        constants[f"{y}_low"], constants[f"{y}_high"] = np.array(0, np.float32), np.array(1, np.float32)
        gate = f"{y}_gate" if swish else y
        nodes = [
            make_node(
                "Conv",
                [x, f"{y}_slope", f"{y}_offset"],
                [f"{y}_line"],
                f"{node.name}_line",
                group=channels,
                kernel_shape=[1, 1],
            ),
            make_node("Clip", [f"{y}_line", f"{y}_low", f"{y}_high"], [gate], f"{node.name}_clip"),
        ]
        return [*nodes, make_node("Mul", [x, gate], [y], node.name)] if swish else nodes

    return _with_replaced(model, rewritten, constants)


def transposed_by_convolution(examples: Sequence[Array], *, least_speedup: float) -> Pass:
    """The pass of :func:`rewrite_transposed_convolutions`."""

    def apply(model: onnx.ModelProto) -> onnx.ModelProto | None:
        rewritten, notes = rewrite_transposed_convolutions(model, examples, least_speedup=least_speedup)
        return clean(rewritten) if notes else None

    return Pass("transposed convolutions as dense layers and convolutions", apply)


FLOAT_PASSES = (
    Pass("means over a picture as GlobalAveragePool", pool_by_operator),
    Pass("strided slices with padding as convolutions", stride_by_convolution),
    Pass("PReLU as depthwise convolution and Relu", prelu_by_convolution),
)
"""Those that may be faster in float."""

INT8_PASSES = (Pass("hard-swish and hard-sigmoid as depthwise convolution and product", gate_by_convolution),)
"""Those that let more be int8."""


def _with_replaced(
    model: onnx.ModelProto,
    replacement: Callable[[onnx.NodeProto], list[onnx.NodeProto] | None],
    constants: dict[str, Array],
    *,
    backwards: bool = False,
) -> onnx.ModelProto | None:
    """With what ``replacement`` gives for a node in its place; ``None`` where it never gives anything."""
    replaced = False
    parts: list[list[onnx.NodeProto]] = []
    nodes = list(model.graph.node)
    for node in reversed(nodes) if backwards else nodes:
        new = replacement(node)
        replaced |= new is not None
        parts.append([node] if new is None else new)
    if not replaced:
        return None
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    del changed.graph.value_info[:]
    changed.graph.node.extend(node for part in (reversed(parts) if backwards else parts) for node in part)
    changed.graph.initializer.extend(initializer(name, values) for name, values in constants.items())
    return _through(changed, RemoveUnusedNodesPass())


def _through(model: onnx.ModelProto, one: Callable[[onnx_ir.Model], object]) -> onnx.ModelProto:
    ir = onnx_ir.from_proto(model)
    one(ir)
    return onnx_ir.to_proto(ir)


def _shapes(model: onnx.ModelProto) -> dict[str, list[int | str | None]]:
    """Of every float32 tensor whose shape can be inferred: sizes, or the names of open sides."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: [
            side.dim_value if side.HasField("dim_value") else side.dim_param or None
            for side in value.type.tensor_type.shape.dim
        ]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }


def _is_picture(tensor: str, model: onnx.ModelProto) -> bool:
    return len(_shapes(model).get(tensor, [])) == 4


def _padding(node: onnx.NodeProto, graph: Graph) -> list[int] | None:
    """The pads of a Pad with zeros, by axis at the beginning and then at the end."""
    options = attributes(node)
    pads, value = graph.constant(node, 1), graph.constant(node, 2)
    value_given, axes_given = (len(node.input) > position and node.input[position] for position in (2, 3))
    if pads is None or axes_given or options.get("mode", b"constant") != b"constant":
        return None
    return None if value_given and (value is None or value.any()) else [int(pad) for pad in pads]


def _striding(node: onnx.NodeProto, graph: Graph) -> tuple[int, int] | None:
    """The axis and the step of a Slice that takes every n-th row or column from the first to the last."""
    if node.op_type != "Slice" or len(node.input) < 5:
        return None
    starts, ends, axes, steps = (graph.constant(node, position) for position in range(1, 5))
    if any(values is None or values.size != 1 for values in (starts, ends, axes, steps)):
        return None
    start, end, axis, step = (int(values.reshape(-1)[0]) for values in (starts, ends, axes, steps))  # type: ignore[union-attr]
    return (axis, step) if start == 0 and end >= 2**31 - 1 and axis in (2, 3) and step >= 1 else None


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
