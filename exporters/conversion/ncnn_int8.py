"""int8 in NCNN: which layers of a quantised graph compute in it, and what becomes of them in ``.param`` and ``.bin``.

A Convolution, ConvolutionDepthWise or InnerProduct with ``8=1`` (int8_scale_term) rounds what it takes to -127..127 by
one scale, adds up in int32 and gives float; with ``8=101`` a convolution gives int8, rounded for those that read it.
All other layers stay float. Behind its bias such a layer has in the ``.bin`` how many steps are 1.0: of the weights for
each output, of what it takes, and of what it gives (src/layer/convolution.cpp of github.com/Tencent/ncnn).

PNNX reads float graphs only and names layers as it likes: it gets the values that the rounded weights stand for, and a
layer is found again by these.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.ncnn_weights import INT8, LayerWeights, layer_weights
from edgevision.exporters.passes.ir import Array, add_constant, constant, constant_input, to_ir, to_proto
from edgevision.modelfiles.ncnn_file import Layer, read_layers

_CONVOLUTIONS = frozenset({"Convolution", "ConvolutionDepthWise"})
_LAYERS = _CONVOLUTIONS | {"InnerProduct"}
_GIVES_FLOAT, _GIVES_INT8 = 1, 101


@dataclass(frozen=True)
class Int8Layer:
    """A layer that computes in int8.

    Attributes:
        name: of its node.
        weights: int8 (outputs, ...), in NCNN's order.
        scales: float32 (outputs,), what a step of them is.
        input_scale: what a step of what it takes is.
    """

    name: str
    weights: Array
    scales: Array
    input_scale: float

    @property
    def values(self) -> Array:
        """float32 (outputs, ...): what the weights stand for."""
        scales = self.scales.reshape(-1, *(1,) * (self.weights.ndim - 1))
        return np.asarray(self.weights * scales, np.float32)


def take_int8(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[Int8Layer]]:
    """The float graph of a quantised one, its weights still rounded, and the layers that compute in int8.

    Raises:
        InputError: something is quantised that NCNN has no int8 for; it is named.
    """
    ir = to_ir(model)
    layers = []
    for node in tuple(ir.graph):
        if node.op_type not in ("Conv", "Gemm"):
            continue
        weights, taken = _scaled(node.inputs[1], "DequantizeLinear"), _scaled(node.inputs[0], "DequantizeLinear")
        given = None if taken is None else _scaled(taken[0], "QuantizeLinear")
        integers = None if weights is None else constant(weights[0])
        if weights is None or given is None or integers is None:
            continue
        value, input_scale = given
        transposed = node.op_type == "Gemm" and not node.attributes.get_int("transB", 0)
        rows = np.ascontiguousarray(integers.T if transposed else integers)
        scales = np.broadcast_to(weights[1].reshape(-1), len(rows)).astype(np.float32)
        layers.append(Int8Layer(str(node.name), rows, scales, float(input_scale)))
        values = layers[-1].values
        values = np.ascontiguousarray(values.T if transposed else values)
        node.replace_input_with(0, value)
        node.replace_input_with(1, add_constant(ir, f"{node.name}_rounded_weights", values))
    RemoveUnusedNodesPass()(ir)
    for node in ir.graph:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            raise InputError(
                f"NCNN computes Conv and Gemm in int8, without zero points, and no others: {node.name!r} is none of"
                " these; keep it float"
            )
    return (to_proto(ir), layers) if layers else (model, [])


def put_int8(graph: Path, weights: Path, layers: Sequence[Int8Layer]) -> None:
    """Let ``layers`` compute in int8 in the float model that PNNX wrote of :func:`take_int8`; both files are changed.

    Raises:
        InputError: PNNX has made something else of one of them.
    """
    rows, content = read_layers(graph), weights.read_bytes()
    found = _found(rows, content, layers)
    given = _given_scales(rows, {part.number: layer for part, layer in found})
    lines = graph.read_text(encoding="utf-8").splitlines()
    written, done = [], 0
    for part, layer in found:
        steps = [*layer.scales, layer.input_scale]
        if part.number in given:
            steps.append(given[part.number])
        lines[part.number + 2] += f" 8={_GIVES_INT8 if part.number in given else _GIVES_FLOAT}"
        integers = layer.weights.tobytes()
        integers += bytes(-len(integers) % 4)
        bias = content[part.weights_end : part.end]
        written += [content[done : part.start], INT8.to_bytes(4, "little"), integers, bias]
        written.append((1 / np.array(steps)).astype("<f4").tobytes())
        done = part.end
    graph.write_text("\n".join(lines) + "\n", encoding="utf-8")
    weights.write_bytes(b"".join([*written, content[done:]]))


def _scaled(value: onnx_ir.Value | None, operator: str) -> tuple[onnx_ir.Value, Array] | None:
    """What the ``operator`` takes that gives ``value``, and its scale, where that is int8 and zero is the integer 0."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != operator or node.inputs[0] is None:
        return None
    scale, zero = constant_input(node, 1), constant_input(node, 2)
    if scale is None or zero is None or zero.dtype != np.int8 or zero.any():
        return None
    return node.inputs[0], scale


def _found(rows: Sequence[Layer], content: bytes, layers: Sequence[Int8Layer]) -> list[tuple[LayerWeights, Int8Layer]]:
    """Where each of ``layers`` is, in the order of the file."""
    wanted: dict[bytes, list[Int8Layer]] = defaultdict(list)
    for layer in reversed(layers):
        wanted[layer.values.tobytes()].append(layer)
    found = []
    for part in layer_weights(rows, content):
        alike = wanted.get(content[part.start + 4 : part.weights_end])
        if rows[part.number].type in _LAYERS and alike:
            found.append((part, alike.pop()))
    missing = [layer.name for alike in wanted.values() for layer in alike]
    if missing:
        raise InputError(f"PNNX makes something else of {', '.join(sorted(missing))} than NCNN has int8 for")
    return found


def _given_scales(rows: Sequence[Layer], found: Mapping[int, Int8Layer]) -> dict[int, float]:
    """By the number of a convolution the scale to round by what it gives, where all that read it round it so."""
    readers: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for name in row.inputs:
            readers[name].append(number)

    def scales(tensor: str) -> set[float | None]:
        wanted: set[float | None] = set() if readers[tensor] else {None}
        for number in readers[tensor]:
            if rows[number].type == "Split":
                wanted.update(*map(scales, rows[number].outputs))
            else:
                takes_int8 = number in found and rows[number].type in _CONVOLUTIONS
                wanted.add(found[number].input_scale if takes_int8 else None)
        return wanted

    given = {}
    for number in found:
        if rows[number].type in _CONVOLUTIONS:
            scale, *others = scales(rows[number].outputs[0])
            if scale is not None and not others:
                given[number] = scale
    return given
