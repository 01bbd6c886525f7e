"""What a network is given, in two parts of 8 bits: the first layer's int8 arithmetic then knows it to about 12 bits.

Rounding the picture itself to 8 bits over a range that noise has widened may cost more than all the rest: of DnCNN's
0.04 dB at sigma 25 it is half. The second part is what the first leaves, enlarged; the convolution takes both as
channels, which costs nothing beside the layers behind it.
"""

import numpy as np
import onnx_ir

from edgevision.exporters.passes.ir import Array, add_constant, constant, input_at
from edgevision.exporters.quantization.units import FOLLOWERS

# By how much the second part is enlarged: weights are made so much smaller for it, and keep that many steps less.
_FACTOR = 16
# With more channels the first layer is none that costs nothing.
_MOST_CHANNELS = 16


def refine_inputs(model: onnx_ir.Model) -> bool:
    """Change every int8 convolution of ``model`` that takes what the network is given; whether there was one.

    The first part is rounded down, so that the second is never negative: of a range that begins at zero no integer is.
    """
    changed = False
    for node in tuple(model.graph):
        pair, weights = _producer(node, 0), _producer(node, 1)
        if node.op_type != "Conv" or node.attributes.get_int("group", 1) != 1 or weights is None:
            continue
        values = constant(input_at(weights, 0))
        quantize = None if pair is None or pair.op_type != "DequantizeLinear" else _producer(pair, 0)
        if values is None or values.dtype != np.int8 or values.shape[1] > _MOST_CHANNELS or quantize is None:
            continue
        if quantize.op_type == "QuantizeLinear" and _is_given(quantize.inputs[0]) and _has_room(quantize):
            _refine(model, node, quantize, weights, values)
            changed = True
    return changed


def _refine(
    model: onnx_ir.Model, node: onnx_ir.Node, quantize: onnx_ir.Node, weights: onnx_ir.Node, values: Array
) -> None:
    given, *limits = quantize.inputs
    assert given is not None
    name, scale = f"{given.name}_of_{node.name}", float(np.array(constant(limits[0])))
    made: list[onnx_ir.Node] = []

    def add(operator: str, inputs: list[onnx_ir.Value | None], part: str, **options: int) -> onnx_ir.Value:
        output = onnx_ir.val(f"{name}_{part}")
        made.append(onnx_ir.node(operator, inputs, options, outputs=[output], name=f"{name}_{part}_node"))
        return output

    half = add_constant(model, f"{name}_half_step", np.float32(scale / 2))
    factor = add_constant(model, f"{name}_factor", np.float32(_FACTOR))
    lowered = add("Sub", [given, half], "lowered")
    first = add("DequantizeLinear", [add("QuantizeLinear", [lowered, *limits], "first"), *limits], "first_part")
    second = add("Mul", [add("Sub", [given, first], "rest"), factor], "second_part")
    both = add("QuantizeLinear", [add("Concat", [first, second], "both", axis=1), *limits], "both_quantized")
    node.replace_input_with(0, add("DequantizeLinear", [both, *limits], "both_dequantized"))
    model.graph.insert_before(node, made)

    before = weights.inputs[0]
    assert before is not None
    both_weights = np.concatenate([values, _smaller(values)], axis=1)
    weights.replace_input_with(0, add_constant(model, f"{before.name}_for_both", both_weights))


def _smaller(values: Array) -> Array:
    """The weights of the second part: of each output their sum is rounded once, so that nothing is shifted on average.

    The second part is half its reach on average, and rounding every weight by itself would add up.
    """
    sums = np.cumsum(values.reshape(len(values), -1) / _FACTOR, axis=1)
    return np.diff(np.rint(sums), prepend=0, axis=1).astype(np.int8).reshape(values.shape)


def _is_given(value: onnx_ir.Value | None) -> bool:
    """Whether it is an input of the network, or moved values of one."""
    while value is not None and (node := value.producer()) is not None and node.op_type in FOLLOWERS:
        value = node.inputs[0]
    return value is not None and value.is_graph_input()


def _has_room(quantize: onnx_ir.Node) -> bool:
    """Whether the second part fits into the integers above zero."""
    zero = constant(input_at(quantize, 2))
    return zero is not None and int(np.iinfo(zero.dtype).max) - int(zero) >= _FACTOR


def _producer(node: onnx_ir.Node, position: int) -> onnx_ir.Node | None:
    value = input_at(node, position)
    return None if value is None else value.producer()
