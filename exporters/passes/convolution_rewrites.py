"""Exact rewritings into operators that engines run faster than what exporters write, or that have int8 kernels."""

from typing import Any

import numpy as np
import onnx_ir

from edgevision.exporters.passes.graph_pass import Rewriting
from edgevision.exporters.passes.ir import (
    add_constant,
    constant_input,
    input_at,
    is_picture,
    only_reader,
    picture_channels,
    replace,
)
from edgevision.exporters.passes.pixel_blocks import convolve_in_blocks


def pool_by_operator(model: onnx_ir.Model) -> bool:
    """A mean over height and width as GlobalAveragePool, which has int8 kernels."""
    modified = False
    for node in model.graph:
        axes = constant_input(node, 1) if node.op_type == "ReduceMean" else None
        if axes is None or not is_picture(node.inputs[0]) or sorted(axis % 4 for axis in axes) != [2, 3]:
            continue
        nodes = [onnx_ir.node("GlobalAveragePool", [node.inputs[0]], name=node.name)]
        if not node.attributes.get_int("keepdims", 1):
            nodes[0].outputs[0].name = f"{node.outputs[0].name}_pooled"
            nodes.append(onnx_ir.node("Flatten", nodes[0].outputs, name=f"{node.name}_flatten"))
        replace(model, node, nodes)
        modified = True
    return modified


def stride_by_convolution(model: onnx_ir.Model) -> bool:
    """Every second pixel of each channel, and channels of zeros around them, as one strided 1x1 convolution.

    This is the shortcut without weights of He et al. 2015, option A; slicing and padding copy the picture three times,
    and break the chain of int8 operators.
    """
    modified = False
    for node in model.graph:
        pads = _padding(node) if node.op_type == "Pad" else None
        if pads is None or len(pads) != 8 or any(pads[axis] for axis in (0, 2, 3, 4, 6, 7)) or min(pads) < 0:
            continue
        value, strides, wanted_elsewhere = node.inputs[0], [1, 1], False
        while value is not None and (step := _striding(value.producer())) is not None:
            wanted_elsewhere |= only_reader(value) is None
            axis, size, source = step
            strides[axis - 2] *= size
            value = source
        channels = picture_channels(value)
        if value is node.inputs[0] or wanted_elsewhere or channels is None:
            continue
        kernel = np.zeros((pads[1] + channels + pads[5], channels, 1, 1), np.float32)
        kernel[pads[1] : pads[1] + channels, :, 0, 0] = np.eye(channels)
        weight = add_constant(model, f"{node.name}_weight", kernel)
        options = {"kernel_shape": [1, 1], "strides": strides}
        replace(model, node, [onnx_ir.node("Conv", [value, weight], options, name=node.name)])
        modified = True
    return modified


def prelu_by_convolution(model: onnx_ir.Model) -> bool:
    """PReLU with slopes a as x + (1 - a) Relu(-x), both products as depthwise 1x1 convolutions.

    ONNX Runtime's PRelu is a generic broadcast outside its blocked layout; these are done inside it, and the activation
    and the sum by the convolutions themselves.
    """
    modified = False
    for node in model.graph:
        slope = constant_input(node, 1) if node.op_type == "PRelu" else None
        channels = picture_channels(input_at(node, 0))
        if slope is None or slope.dtype != np.float32 or channels is None:
            continue
        if slope.size != 1 and slope.shape[-3:] != (channels, 1, 1):
            continue
        x, y = node.inputs[0], node.outputs[0].name
        minus = add_constant(model, f"{y}_minus", np.full((channels, 1, 1, 1), -1, np.float32))
        rise = np.broadcast_to(1 - slope.reshape(-1), channels).reshape(-1, 1, 1, 1)
        raised_by = add_constant(model, f"{y}_slope", np.ascontiguousarray(rise))
        depthwise: dict[str, Any] = {"group": channels, "kernel_shape": [1, 1]}
        turned = _node("Conv", [x, minus], f"{y}_turned", f"{node.name}_turn", depthwise)
        below = _node("Relu", turned.outputs, f"{y}_below", f"{node.name}_relu")
        raised = _node("Conv", [*below.outputs, raised_by], f"{y}_raised", f"{node.name}_raise", depthwise)
        replace(model, node, [turned, below, raised, _node("Add", [*raised.outputs, x], y, node.name)])
        modified = True
    return modified


def gate_by_convolution(model: onnx_ir.Model) -> bool:
    """HardSigmoid as a depthwise 1x1 convolution clipped to 0..1, HardSwish as x times that: all have int8 kernels."""
    modified = False
    for node in model.graph:
        channels = picture_channels(input_at(node, 0))
        if node.op_type not in ("HardSigmoid", "HardSwish") or channels is None:
            continue
        x, y = node.inputs[0], node.outputs[0].name
        swish = node.op_type == "HardSwish"
        alpha = 1 / 6 if swish else node.attributes.get_float("alpha", 0.2)
        beta = 0.5 if swish else node.attributes.get_float("beta", 0.5)
        slope = add_constant(model, f"{y}_slope", np.full((channels, 1, 1, 1), alpha, np.float32))
        offset = add_constant(model, f"{y}_offset", np.full(channels, beta, np.float32))
        low, high = (add_constant(model, f"{y}_{end}", np.float32(end == "high")) for end in ("low", "high"))
        depthwise: dict[str, Any] = {"group": channels, "kernel_shape": [1, 1]}
        line = _node("Conv", [x, slope, offset], f"{y}_line", f"{node.name}_line", depthwise)
        clip = _node("Clip", [*line.outputs, low, high], f"{y}_gate" if swish else y, f"{node.name}_clip")
        product = [_node("Mul", [x, *clip.outputs], y, node.name)] if swish else []
        replace(model, node, [line, clip, *product])
        modified = True
    return modified


FLOAT_PASSES = (
    Rewriting("means over a picture as GlobalAveragePool", pool_by_operator),
    Rewriting("strided slices with padding as convolutions", stride_by_convolution),
    Rewriting("PReLU as depthwise convolution and Relu", prelu_by_convolution),
    Rewriting("convolutions to few channels in blocks of pixels", convolve_in_blocks),
)
"""Those that may be faster in float."""

INT8_PASSES = (Rewriting("hard-swish and hard-sigmoid as depthwise convolution and product", gate_by_convolution),)
"""Those that let more be int8."""


def _node(
    operator: str, inputs: Any, output: str | None, name: str | None, options: dict[str, Any] | None = None
) -> onnx_ir.Node:
    return onnx_ir.node(operator, inputs, options, outputs=[onnx_ir.val(output)], name=name)


def _padding(node: onnx_ir.Node) -> list[int] | None:
    """The pads of a Pad with zeros, by axis at the beginning and then at the end."""
    pads, value = constant_input(node, 1), constant_input(node, 2)
    if pads is None or input_at(node, 3) is not None or node.attributes.get_string("mode", "constant") != "constant":
        return None
    given = input_at(node, 2) is not None
    return None if given and (value is None or value.any()) else [int(pad) for pad in pads]


def _striding(node: onnx_ir.Node | None) -> tuple[int, int, onnx_ir.Value | None] | None:
    """The axis and the step of a Slice that takes every n-th row or column from the first to the last, and of what."""
    if node is None or node.op_type != "Slice" or len(node.inputs) < 5:
        return None
    limits = []
    for position in range(1, 5):
        values = constant_input(node, position)
        if values is None or values.size != 1:
            return None
        limits.append(int(values.reshape(-1)[0]))
    start, end, axis, step = limits
    whole = start == 0 and end >= 2**31 - 1 and axis in (2, 3) and step >= 1
    return (axis, step, node.inputs[0]) if whole else None
