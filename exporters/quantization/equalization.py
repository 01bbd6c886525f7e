"""Channels brought to the same range, so that one scale for all of a tensor's channels suits each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir

from edgevision.exporters.comparison.onnx_layers import HOMOGENEOUS
from edgevision.exporters.passes.channel_scales import CHANNEL_SCALE_KEY, decoded_scale, encoded_scale
from edgevision.exporters.passes.graph_pass import PassResult
from edgevision.exporters.passes.ir import Array, constant, constant_input, only_reader, to_ir, to_proto
from edgevision.exporters.quantization.observations import channel_peaks
from edgevision.exporters.quantization.units import channel_axis
from edgevision.runtime.tasks.samples import Batch

# What is smaller than this share of the largest channel is silent, not quiet: raising it would raise noise.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True, eq=False)
class Equalization:
    """A pass that scales the channels between two convolutions so that all reach equally far on ``batches``.

    With a positive s for each channel, Relu(s x) = s Relu(x): the first layer's weights are divided by it and the
    second one's multiplied, and the network computes the same (Nagel et al. 2019, "Data-free quantization", equation 7;
    here by the activations seen, as each channel's weights have a scale of their own). Done wherever such a tensor is
    read by nothing else. ``strength`` is the power of s: 1 brings all channels to the same range, 0 none.
    The first layer says so in its file, so that its output can still be compared with the original's.
    """

    batches: Sequence[Batch]
    strength: float = 1.0

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        ir = to_ir(model)
        links = [link for node in ir.graph if (link := _link(node)) is not None]
        if not links:
            return PassResult(model)
        peaks = channel_peaks(ir, [str(value.name) for _, value, _ in links], self.batches)
        for first, value, second in links:
            peak = peaks[str(value.name)]
            silent = peak <= _LEAST_SHARE * peak.max()
            share = np.where(silent, 1.0, (peak / max(peak.max(), 1e-30)) ** self.strength).astype(np.float32)
            for position in (1, 2):
                values = constant_input(first, position)
                if values is not None:
                    axis = channel_axis(first) if position == 1 else 0
                    _set(first.inputs[position], values / _along(share, axis, values.ndim))
            earlier = decoded_scale(first.metadata_props.get(CHANNEL_SCALE_KEY, ""))
            first.metadata_props[CHANNEL_SCALE_KEY] = encoded_scale((1 if earlier is None else earlier) / share)
            values = constant_input(second, 1)
            assert values is not None
            _set(second.inputs[1], values * _along(share, 1 - channel_axis(second), values.ndim))
        return PassResult(to_proto(ir), modified=True)


def _link(node: onnx_ir.Node) -> tuple[onnx_ir.Node, onnx_ir.Value, onnx_ir.Node] | None:
    """``node``, the value it gives after its activation, and the only layer that reads that."""
    if not _is_plain(node):
        return None
    value = node.outputs[0]
    reader = only_reader(value)
    while reader is not None and _is_homogeneous(reader):
        value = reader.outputs[0]
        reader = only_reader(value)
    if reader is None or not _is_plain(reader) or reader.inputs[0] is not value:
        return None
    return node, value, reader


def _is_plain(node: onnx_ir.Node) -> bool:
    """A layer of one group, over pictures and in float32, whose weights nobody else uses."""
    weight = constant_input(node, 1) if node.op_type in ("Conv", "ConvTranspose") else None
    if weight is None or weight.dtype != np.float32 or weight.ndim != 4:
        return False
    given = [value for value in node.inputs[1:] if value is not None]
    own = all(len(value.uses()) == 1 and constant(value) is not None for value in given)
    return own and node.attributes.get_int("group", 1) == 1


def _is_homogeneous(node: onnx_ir.Node) -> bool:
    """Whether scaling a channel of the input scales that channel of the output."""
    slope = constant_input(node, 1) if node.op_type == "PRelu" else None
    return slope is not None if node.op_type == "PRelu" else node.op_type in HOMOGENEOUS


def _set(value: onnx_ir.Value | None, values: Array) -> None:
    assert value is not None
    value.const_value = onnx_ir.tensor(np.ascontiguousarray(values), name=value.name)


def _along(values: Array, axis: int, dimensions: int) -> Array:
    return values.reshape([-1 if index == axis else 1 for index in range(dimensions)])
