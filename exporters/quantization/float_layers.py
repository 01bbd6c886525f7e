"""Layers that stay float between int8 ones in ONNX Runtime too."""

import onnx_ir

from edgevision.exporters.quantization.units import FOLLOWERS

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm"})
_PASSED = FOLLOWERS | {"Clip", "Relu"}


def keep_float(model: onnx_ir.Model) -> None:
    """Let no float layer of ``model`` stand between a DequantizeLinear and a QuantizeLinear alone; changed in place.

    ONNX Runtime takes such a layer for one that is meant to be int8: it rounds its weights to the nearest, with one
    scale for all channels, and computes in int8 where it has a kernel (WeightBiasQuantization, seen in 1.31). Relu
    and Clip may stand in between, and what its QDQPropagation moves the pairs over. A LeakyRelu ends that pattern, and
    the layer's own kernel applies it: of slope 0 for a Relu, of slope 1, which changes nothing, where there is none.
    """
    for node in tuple(model.graph):
        if node.op_type not in _LAYERS or not _is_dequantized(node.inputs[0]) or _is_dequantized(node.inputs[1]):
            continue
        value = node.outputs[0]
        reader = _only_reader(value)
        if reader is None or not _is_quantized(value):
            continue
        if reader.op_type == "Relu":
            reader.op_type = "LeakyRelu"
            reader.attributes["alpha"] = onnx_ir.AttrFloat32("alpha", 0.0)
            continue
        kept = onnx_ir.val(f"{value.name}_kept_float")
        reader.replace_input_with(0, kept)
        name = f"{node.name}_kept_float"
        model.graph.insert_after(node, onnx_ir.node("LeakyRelu", [value], {"alpha": 1.0}, outputs=[kept], name=name))


def _is_dequantized(value: onnx_ir.Value | None) -> bool:
    producer = None if value is None else value.producer()
    while producer is not None and producer.op_type in FOLLOWERS and producer.inputs[0] is not None:
        producer = producer.inputs[0].producer()
    return producer is not None and producer.op_type == "DequantizeLinear"


def _is_quantized(value: onnx_ir.Value) -> bool:
    reader = _only_reader(value)
    while reader is not None and reader.op_type in _PASSED:
        reader = _only_reader(reader.outputs[0])
    return reader is not None and reader.op_type == "QuantizeLinear"


def _only_reader(value: onnx_ir.Value) -> onnx_ir.Node | None:
    """As ONNX Runtime counts: that ``value`` is an output of the graph does not matter."""
    readers = [use.node for use in value.uses()]
    return readers[0] if len(readers) == 1 else None
