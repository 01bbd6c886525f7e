"""Convolutions that give few channels as strided ones that give the pixels of a block as channels.

Engines compute 16 output channels or so at a time, whatever a layer gives: one that gives the three of a picture does
five times what it has to, and in int8 gathers every pixel's inputs for so little. A convolution with a stride of 2 that
gives 2x2 pixels as channels has a kernel one larger, zero where a pixel does not look, and runs at a quarter of the
places. DepthToSpace lays the pixels out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir

from edgevision.exporters.passes.ir import Array, add_constant, constant_input, input_at, only_reader, replace

_SIDE = 2
# So many fill the 16 of a kernel when they come in blocks.
_MOST_CHANNELS = 16 // _SIDE**2
# A smaller kernel has more zeros in a block than it saves.
_LEAST_KERNEL = 3
# What engines apply inside a convolution stays with it.
_ACTIVATIONS = frozenset({"Clip", "LeakyRelu", "Relu"})


def convolve_in_blocks(model: onnx_ir.Model) -> bool:
    """Every such convolution; of odd sides, or sides that are not known, a row and a column too many are cut."""
    modified = False
    for node in tuple(model.graph):
        weight = constant_input(node, 1) if node.op_type == "Conv" else None
        bias = constant_input(node, 2)
        if weight is None or not _fits(node, weight) or (input_at(node, 2) is not None and bias is None):
            continue
        _rewrite(model, node, weight, bias)
        modified = True
    return modified


def _fits(node: onnx_ir.Node, weight: Array) -> bool:
    options = node.attributes
    if weight.ndim != 4 or weight.dtype != np.float32:
        return False
    dense = all(list(options.get_ints(name, [1, 1])) == [1, 1] for name in ("strides", "dilations"))
    plain = options.get_int("group", 1) == 1 and options.get_string("auto_pad", "NOTSET") == "NOTSET"
    return dense and plain and len(weight) <= _MOST_CHANNELS and min(weight.shape[2:]) >= _LEAST_KERNEL


def _even(node: onnx_ir.Node, kernel: tuple[int, ...], pads: Sequence[int]) -> bool:
    """Whether blocks are known to leave nothing over."""
    value = node.inputs[0]
    sides = value.shape[2:] if value is not None and value.shape is not None else ()
    given = [side if isinstance(side, int) else None for side in sides]
    return len(given) == 2 and all(
        side is not None and (side + pads[axis] + pads[axis + 2] - size + 1) % _SIDE == 0
        for axis, (side, size) in enumerate(zip(given, kernel, strict=True))
    )


def _rewrite(model: onnx_ir.Model, node: onnx_ir.Node, weight: Array, bias: Array | None) -> None:
    channels, inputs, height, width = weight.shape
    pads, name = node.attributes.get_ints("pads", [0, 0, 0, 0]), str(node.name)
    even = _even(node, (height, width), pads)
    blocks = np.zeros((_SIDE, _SIDE, channels, inputs, height + _SIDE - 1, width + _SIDE - 1), np.float32)
    for row, column in np.ndindex(_SIDE, _SIDE):
        blocks[row, column, :, :, row : row + height, column : column + width] = weight
    given = [node.inputs[0], add_constant(model, f"{name}_in_blocks", blocks.reshape(-1, *blocks.shape[3:]))]
    if bias is not None:
        given.append(add_constant(model, f"{name}_bias_in_blocks", np.tile(bias, _SIDE**2)))
    more = 0 if even else _SIDE - 1
    options: dict[str, Any] = {
        "kernel_shape": list(blocks.shape[4:]),
        "strides": [_SIDE, _SIDE],
        "pads": [*pads[:2], pads[2] + more, pads[3] + more],
    }
    nodes = [onnx_ir.node("Conv", given, options, name=name)]
    last = node
    activation = only_reader(node.outputs[0])
    if activation is not None and activation.op_type in _ACTIVATIONS:
        parts = [*nodes[0].outputs, *activation.inputs[1:]]
        nodes.append(onnx_ir.node(activation.op_type, parts, activation.attributes, name=activation.name))
        last = activation
    laid_out: dict[str, Any] = {"blocksize": _SIDE, "mode": "DCR"}
    nodes.append(onnx_ir.node("DepthToSpace", nodes[-1].outputs, laid_out, name=f"{name}_laid_out"))
    if not even:
        sides = onnx_ir.node("Shape", [node.inputs[0]], {"start": 2, "end": 4}, name=f"{name}_sides")
        added = np.array([pads[axis] + pads[axis + 2] - size + 1 for axis, size in enumerate((height, width))])
        ends = onnx_ir.node("Add", [*sides.outputs, add_constant(model, f"{name}_more", added)], name=f"{name}_ends")
        zeros = add_constant(model, f"{name}_zeros", np.zeros(2, np.int64))
        axes = add_constant(model, f"{name}_axes", np.array([2, 3]))
        cut = [*nodes[-1].outputs, zeros, *ends.outputs, axes]
        nodes += [sides, ends, onnx_ir.node("Slice", cut, name=f"{name}_cut")]
    names = [f"{name}_{index}_of_blocks" for index in range(len(nodes))]
    for made, output in zip(nodes, names, strict=True):
        made.outputs[0].name = output
    if last is not node:
        # Its output is that of the activation from here on.
        node.outputs[0].name = f"{node.outputs[0].name}_before"
    replace(model, last, nodes)
