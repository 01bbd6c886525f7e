"""A quantised graph that can be trained: it computes what the target does, and what it has learned goes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir
import torch
from torch import Tensor

from edgevision.exporters.onnx_to_torch.onnx_module import OnnxModule
from edgevision.exporters.onnx_to_torch.operators import rounded
from edgevision.exporters.passes.ir import Array, constant_input, input_at, to_ir
from edgevision.exporters.quantization.qdq import Plan, QuantizedWeights, Quantizer
from edgevision.exporters.quantization.units import FOLLOWERS, channel_axis

_RATE_OF_BIASES = 0.01
# Of logarithms.
_RATE_OF_SCALES = 0.001
_RATE_OF_RANGES = 0.002


class FakeQuantization:
    """The model that ``quantizer`` makes of ``plan``, with scales of weights, biases and ranges that can be learned.

    It runs that very graph, in float32: with its zero points, its integers, biases of integers where the target has
    them, and 16 bits where the plan does. The integers of weights stay as they were rounded, which measures better than
    learning them: rounded straight-through they go to and fro between two integers (Nagel et al. 2022, "Overcoming
    oscillations in quantization-aware training"), and lose that each made up for the errors of others. Biases are in
    units of what one step of a weight is worth at the input's farthest value, of a range the width is learned, and
    rounding has the derivative of what is rounded.
    """

    def __init__(self, quantizer: Quantizer, plan: Plan) -> None:
        self._quantizer = quantizer
        graph = to_ir(quantizer(plan))
        self._graph = OnnxModule(graph)
        nodes = {str(node.name): node for node in graph.graph}
        weighted = [name for name in sorted(plan.int8) if quantizer.units[name].channels is not None]
        self._layers = {name: _Layer(nodes[name], quantizer, name) for name in weighted}
        self._ranges = _ranges(graph, quantizer)

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """All outputs for all inputs."""
        given = {name: one.scale() for one in self._ranges for name in one.constants}
        for layer in self._layers.values():
            given |= layer(given)
        return self._graph(*inputs, given=given)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For an optimiser, each with its learning rate."""
        layers = list(self._layers.values())
        return [
            {"params": [layer.bias for layer in layers if layer.bias is not None], "lr": _RATE_OF_BIASES},
            {"params": [layer.factors for layer in layers], "lr": _RATE_OF_SCALES},
            {"params": [one.factor for one in self._ranges], "lr": _RATE_OF_RANGES},
        ]

    @torch.no_grad()
    def learned(self) -> Quantizer:
        """The quantiser with what was learned; what ``plan`` leaves in float is as it was."""
        weights = {name: layer.learned() for name, layer in self._layers.items()}
        ranges = {tensor: one.learned() for one in self._ranges for tensor in one.tensors}
        start = self._quantizer
        return replace(start, weights={**start.weights, **weights}, ranges={**start.ranges, **ranges})


class _Layer:
    """Scales and bias of one node's weights."""

    def __init__(self, node: onnx_ir.Node, quantizer: Quantizer, name: str) -> None:
        start, axis = quantizer.weights[name], channel_axis(node)
        low, high = quantizer.ranges[quantizer.units[name].inputs[0]]
        self._names = [_input_name(node, position) for position in (1, 2)]
        self._scales = torch.from_numpy(start.scales)
        self._along = [-1 if index == axis and start.scales.ndim else 1 for index in range(start.values.ndim)]
        self._unit = self._scales * max(-low, high)
        self.factors = torch.zeros_like(self._scales).requires_grad_()
        self._values = start.values
        self._integers = torch.from_numpy(_integers(node).astype(np.float32))
        self.bias: Tensor | None = None
        if start.bias is not None:
            self.bias = (torch.from_numpy(start.bias) / self._unit).requires_grad_()
        # Where biases are integers, their step is that of an input times that of a weight.
        self._input_scale: tuple[str, Tensor] | None = None
        pair = None if node.inputs[0] is None or not quantizer.target.quantized_bias else node.inputs[0].producer()
        if pair is not None:
            self._input_scale = _input_name(pair, 1), torch.from_numpy(np.array(constant_input(pair, 1)))

    def __call__(self, ranges: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By their names in the graph; ``ranges`` are the scales of activations that are learned."""
        scales = self._scales * self.factors.exp()
        given = {self._names[0]: self._integers * scales.reshape(self._along)}
        if self.bias is not None:
            bias = self.bias * self._unit
            if self._input_scale is not None:
                name, fixed = self._input_scale
                step = ranges.get(name, fixed) * scales
                bias = rounded(bias / step) * step
            given[self._names[1]] = bias
        return given

    def learned(self) -> QuantizedWeights:
        bias = None if self.bias is None else (self.bias * self._unit).numpy()
        return QuantizedWeights(self._values, (self._scales * self.factors.exp()).numpy(), bias)


def _integers(node: onnx_ir.Node) -> Array:
    """Of the weights, as the graph has them: for inputs in two parts there are more than the quantiser has."""
    pair = None if node.inputs[1] is None else node.inputs[1].producer()
    values = None if pair is None else constant_input(pair, 0)
    assert values is not None
    return values


@dataclass(frozen=True, eq=False)
class _Range:
    """The range of ``tensors`` that are quantised with 8 bits, whose scale the ``constants`` of the graph hold.

    ``first`` is the scale that calibration has found, and what is learned the logarithm of a factor to it.
    """

    tensors: list[str]
    constants: list[str]
    first: float
    zero: int
    least: int
    largest: int
    factor: Tensor

    def scale(self) -> Tensor:
        return self.first * self.factor.exp()

    def learned(self) -> tuple[float, float]:
        scale = float(self.scale())
        return (self.least - self.zero) * scale, (self.largest - self.zero) * scale


def _ranges(graph: onnx_ir.Model, quantizer: Quantizer) -> list[_Range]:
    """What follows another tensor in its format, as what only moves its values gives, has the range of that."""
    tensors = {f"{name}_scale": name for name in quantizer.ranges}
    found: dict[str, _Range] = {}
    for node in _quantizing(graph):
        name = _input_name(node, 1)
        if name not in tensors or name in found:
            continue
        scale, zero = (np.array(constant_input(node, position)) for position in (1, 2))
        followed = found.get(_followed_scale(node.inputs[0]))
        if followed is not None and (followed.first, followed.zero) == (float(scale), int(zero)):
            followed.constants.append(name)
            followed.tensors.append(tensors[name])
            found[name] = followed
            continue
        limits = np.iinfo(zero.dtype)
        least = -limits.max if quantizer.target.symmetric else limits.min
        factor = torch.zeros((), requires_grad=True)
        found[name] = _Range([tensors[name]], [name], float(scale), int(zero), int(least), int(limits.max), factor)
    return list(dict.fromkeys(found.values()))


def _quantizing(graph: onnx_ir.Model) -> Iterable[onnx_ir.Node]:
    return (node for node in graph.graph if node.op_type == "QuantizeLinear")


def _followed_scale(value: onnx_ir.Value | None) -> str:
    """The name of the scale with which ``value`` was quantised before it was moved; empty where it was not."""
    node = None if value is None else value.producer()
    while node is not None and node.op_type in FOLLOWERS and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return _input_name(node, 1) if node is not None and node.op_type == "DequantizeLinear" else ""


def _input_name(node: onnx_ir.Node, position: int) -> str:
    value = input_at(node, position)
    return "" if value is None else str(value.name)
