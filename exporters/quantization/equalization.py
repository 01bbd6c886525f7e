"""Channels brought to the same range, so that one scale for all of a tensor's channels suits each of them."""

from collections.abc import Sequence

import numpy as np
import onnx

from edgevision.exporters.quantization.graph import Array, Graph, attributes, initializer
from edgevision.exporters.quantization.observations import channel_peaks
from edgevision.exporters.quantization.units import channel_axis
from edgevision.exporters.samples import Batch

# What is smaller than this share of the largest channel is silent, not quiet: raising it would raise noise.
_LEAST_SHARE = 1e-3


def equalize(model: onnx.ModelProto, batches: Sequence[Batch], *, strength: float = 1.0) -> onnx.ModelProto:
    """Scale the channels between two convolutions so that all reach equally far on ``batches``.

    With a positive s for each channel, Relu(s x) = s Relu(x): the first layer's weights are divided by it and the
    second one's multiplied, and the network computes the same (Nagel et al. 2019, "Data-free quantization", equation 7;
    here by the activations seen, as each channel's weights have a scale of their own). Done wherever such a tensor is
    read by nothing else.
    """
    graph = Graph(model)
    links = [link for node in model.graph.node if (link := _link(node, graph)) is not None]
    if not links:
        return model
    peaks = channel_peaks(graph, [tensor for _, tensor, _ in links], batches)
    weights: dict[str, Array] = {}
    for first, tensor, second in links:
        peak = peaks[tensor]
        share = np.where(peak > _LEAST_SHARE * peak.max(), (peak / max(peak.max(), 1e-30)) ** strength, 1.0).astype(
            np.float32
        )
        for position in (1, 2):
            values = graph.constant(first, position)
            if values is not None:
                name = first.input[position]
                axis = channel_axis(first) if position == 1 else 0
                weights[name] = weights.get(name, values) / _along(share, axis, values.ndim)
        name = second.input[1]
        values = weights.get(name, graph.constants[name])
        weights[name] = values * _along(share, 1 - channel_axis(second), values.ndim)
    scaled = onnx.ModelProto()
    scaled.CopyFrom(model)
    for tensor in scaled.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(initializer(tensor.name, weights[tensor.name]))
    return scaled


def _link(node: onnx.NodeProto, graph: Graph) -> tuple[onnx.NodeProto, str, onnx.NodeProto] | None:
    """``node``, the tensor it gives after its activation, and the only layer that reads that."""
    if not _is_plain(node, graph):
        return None
    tensor = node.output[0]
    reader = graph.only_reader(tensor)
    while reader is not None and _is_homogeneous(reader, graph):
        tensor = reader.output[0]
        reader = graph.only_reader(tensor)
    if reader is None or not _is_plain(reader, graph) or reader.input[0] != tensor:
        return None
    return node, tensor, reader


def _is_plain(node: onnx.NodeProto, graph: Graph) -> bool:
    """A layer of one group, over pictures and in float32, whose weights nobody else uses."""
    weight = graph.constant(node, 1) if node.op_type in ("Conv", "ConvTranspose") else None
    if weight is None or weight.dtype != np.float32 or weight.ndim != 4:
        return False
    own = all(len(graph.readers[name]) == 1 and name in graph.constants for name in node.input[1:] if name)
    return own and attributes(node).get("group", 1) == 1


def _is_homogeneous(node: onnx.NodeProto, graph: Graph) -> bool:
    """Whether scaling a channel of the input scales that channel of the output."""
    slope = graph.constant(node, 1) if node.op_type == "PRelu" else None
    return node.op_type in ("AveragePool", "LeakyRelu", "MaxPool", "Relu") or slope is not None


def _along(values: Array, axis: int, dimensions: int) -> Array:
    return values.reshape([-1 if index == axis else 1 for index in range(dimensions)])
