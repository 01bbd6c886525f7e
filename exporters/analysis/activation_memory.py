"""How much memory a network's activations take: what decides how large a tile fits a budget."""

import math

import onnx

from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.passes.static_shapes import with_static_shapes


def activation_bytes(model: onnx.ModelProto, examples: Examples) -> int:
    """Bytes of all tensors that are alive at once, at the worst moment, for each pixel of the input.

    Tensors live from the operator that makes them to the last that reads them, in the order of the graph; shapes are
    inferred for the sizes of ``examples``. Engines that reuse buffers less cleverly take more.
    """
    graph = with_static_shapes(model, examples).graph
    bytes_of = {value.name: _bytes(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    for weight in graph.initializer:
        bytes_of.pop(weight.name, None)
    last_use = {name: number for number, node in enumerate(graph.node) for name in node.input}
    alive = sum(bytes_of.get(value.name, 0) for value in graph.input)
    most = alive
    last_use |= {value.name: len(graph.node) for value in graph.output}
    for number, node in enumerate(graph.node):
        alive += sum(bytes_of.get(name, 0) for name in node.output)
        most = max(most, alive)
        alive -= sum(bytes_of.get(name, 0) for name in set(node.input) if last_use[name] == number)
    pixels = examples[0].shape[0] * math.prod(examples[0].shape[2:])
    return math.ceil(most / pixels)


def _bytes(value: onnx.ValueInfoProto) -> int:
    tensor = value.type.tensor_type
    width = int(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize)
    return width * math.prod(max(1, int(dimension.dim_value)) for dimension in tensor.shape.dim)
