"""Quantised graphs in the QDQ form: operators stay as they are, between pairs of QuantizeLinear and DequantizeLinear.

Every engine reads this form and fuses the pairs with the operators it has int8 kernels for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx.helper import make_node, make_opsetid

from edgevision.exporters.quantization.graph import Array, Graph, initializer, tensors_read
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.units import FOLLOWERS, Unit, channel_axis

Range = tuple[float, float]

# Half of what an int32 holds: the other half is for the products that are added to it.
_LARGEST_BIAS = 2**30
_WIDE_DOMAIN = "com.microsoft"
# ONNX has 16 bits from opset 21 on only; ONNX Runtime's operators have them with any, and OpenVINO reads them too.
_DOMAINS = {False: None, True: _WIDE_DOMAIN}


@dataclass(frozen=True)
class QuantizedWeights:
    """Weights of one node: ``values`` int8 in the node's own layout, ``scales`` float32 a channel, or one for all.

    ``bias`` is float32 and already corrected for what rounding the weights shifts on average; ``None`` without one.
    """

    values: Array
    scales: Array
    bias: Array | None


@dataclass(frozen=True)
class Plan:
    """What is computed in int8, and which other weights are only stored in it.

    Attributes:
        computed: names of units.
        stored: names of nodes that compute in float with weights that are int8 in the file.
        wide: those of ``computed`` that take and give activations of 16 bits.
    """

    computed: frozenset[str] = frozenset()
    stored: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Quantizer:
    """Makes the quantised form of one float model for one target, for any :class:`Plan`.

    Attributes:
        ranges: the lowest and highest value of each tensor that units take or give.
        weights: for computing, by node; ``storage`` those for storing.
        wide_ranges: as ``ranges``, for activations of 16 bits.
    """

    graph: Graph
    units: Mapping[str, Unit]
    target: Target
    ranges: Mapping[str, Range]
    weights: Mapping[str, QuantizedWeights]
    storage: Mapping[str, QuantizedWeights] = field(default_factory=dict)
    wide_ranges: Mapping[str, Range] = field(default_factory=dict)

    @property
    def storable(self) -> dict[str, int]:
        """How many numbers the weights have that can be stored, by node."""
        return {name: weights.values.size for name, weights in self.storage.items()}

    def __call__(self, plan: Plan) -> onnx.ModelProto:
        """The model of ``plan``; the inputs and outputs stay float32."""
        return _Rewriting(self, plan).model()


class _Rewriting:
    def __init__(self, quantizer: Quantizer, plan: Plan) -> None:
        self._quantizer, self._graph, self._plan = quantizer, quantizer.graph, plan
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        chosen = [quantizer.units[name] for name in plan.computed]
        self._main = {unit.name: unit for unit in chosen}
        self._ranges = {False: dict(quantizer.ranges), True: dict(quantizer.wide_ranges)}
        # What int8 kernels give, everybody reads from behind the pair: only then the engines fuse it. By tensor,
        # whether it has 16 bits.
        self._behind = {unit.output: unit.name in plan.wide for unit in chosen}
        self._follow(chosen)
        self._paired: dict[tuple[str, bool], str] = {}

    def model(self) -> onnx.ModelProto:
        for node in self._graph.model.graph.node:
            self._nodes.append(self._rewritten(node))
            for output in node.output:
                if output in self._behind:
                    self._pair(output, self._behind[output], keep_name=output in self._graph.outputs)
        model = onnx.ModelProto()
        model.CopyFrom(self._graph.model)
        used = {name for node in self._nodes for name in tensors_read(node)} | set(self._graph.outputs)
        # What is read in the other format only is not needed in its own, and NPUs do not take what nobody reads.
        self._nodes = [node for node in self._nodes if used.intersection(node.output)]
        kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
        kept += [tensor for name, tensor in self._constants.items() if name in used]
        for parts, items in ((model.graph.node, self._nodes), (model.graph.initializer, kept)):
            del parts[:]
            parts.extend(items)
        # The shapes of what stands between pairs have not changed, but its names have.
        del model.graph.value_info[:]
        domains = {entry.domain for entry in model.opset_import}
        if _WIDE_DOMAIN not in domains and any(node.domain == _WIDE_DOMAIN for node in self._nodes):
            model.opset_import.append(make_opsetid(_WIDE_DOMAIN, 1))
        return model

    def _follow(self, chosen: Collection[Unit]) -> None:
        """Note what nodes give that move values from one int8 unit to another, and so need not leave int8 either."""
        quantized = {unit.output for unit in chosen}
        wanted = {name for unit in chosen for name in unit.inputs}
        forward: list[onnx.NodeProto] = []
        for node in self._graph.model.graph.node:
            if node.op_type in FOLLOWERS and node.input[0] in quantized and len(node.output) == 1:
                forward.append(node)
                quantized.add(node.output[0])
        for node in reversed(forward):
            if node.output[0] in wanted:
                wanted.add(node.input[0])
        for node in forward:
            source, output = node.input[0], node.output[0]
            if output in wanted:
                self._behind[output] = wide = self._behind[source]
                self._ranges[wide][output] = self._ranges[wide][source]

    def _rewritten(self, node: onnx.NodeProto) -> onnx.NodeProto:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        main = self._main.get(node.name)
        for position, name in enumerate(node.input):
            if not name or name in self._graph.constants:
                continue
            if main is not None:
                copy.input[position] = self._pair(name, main.name in self._plan.wide)
            elif name in self._behind:
                copy.input[position] = self._pair(name, self._behind[name])
        for position, name in enumerate(node.output):
            if name in self._behind and name in self._graph.outputs:
                copy.output[position] = f"{name}_computed"
        if main is not None and main.channels is not None:
            self._weigh(copy, self._quantizer.weights[node.name], computed=True)
        elif main is not None:
            self._quantize_constants(copy)
        elif node.name in self._plan.stored:
            self._weigh(copy, self._quantizer.storage[node.name], computed=False)
        return copy

    def _pair(self, name: str, wide: bool, *, keep_name: bool = False) -> str:
        """The tensor behind the pair for ``name`` in that format, which is made where there is none yet."""
        if (name, wide) in self._paired:
            return self._paired[name, wide]
        label, domain = _label(name, wide), _DOMAINS[wide]
        source = f"{name}_computed" if keep_name else name
        behind = name if keep_name else f"{label}_dequantized"
        made = self._behind.get(name)
        if made is not None and made != wide:
            # Read by nobody else: only then the engines take it with what follows for one conversion.
            parts = f"{_label(name, made)}_quantized", *self._limits(name, made)
            source = f"{label}_converted"
            self._nodes.append(
                make_node("DequantizeLinear", parts, [source], f"{label}_convert", domain=_DOMAINS[made])
            )
        limits = self._limits(name, wide)
        self._nodes += [
            make_node("QuantizeLinear", [source, *limits], [f"{label}_quantized"], f"{label}_quantize", domain=domain),
            make_node(
                "DequantizeLinear", [f"{label}_quantized", *limits], [behind], f"{label}_dequantize", domain=domain
            ),
        ]
        self._paired[name, wide] = behind
        return behind

    def _limits(self, name: str, wide: bool) -> tuple[str, str]:
        """The scale and the zero point of a tensor in that format."""
        scale, zero = self._quantizer.target.activation_scale(*self._ranges[wide][name], wide=wide)
        label = _label(name, wide)
        return self._constant(f"{label}_scale", np.float32(scale)), self._constant(f"{label}_zero_point", zero)

    def _weigh(self, node: onnx.NodeProto, weights: QuantizedWeights, *, computed: bool) -> None:
        name = node.input[1]
        if computed and self._quantizer.target.quantized_bias and weights.bias is not None:
            weights = _with_room_for_bias(weights, self._input_scale(node), channel_axis(node))
        quantized = self._constant(f"{name}_int8_of_{node.name}", weights.values)
        axis = channel_axis(node)
        behind = f"{name}_of_{node.name}"
        if computed:
            scale = self._constant(f"{name}_scale_of_{node.name}", weights.scales)
            zero = self._constant(f"{name}_zero_of_{node.name}", np.zeros(weights.scales.shape, np.int8))
            options: dict[str, Any] = {"axis": axis} if weights.scales.ndim else {}
            self._nodes.append(
                make_node("DequantizeLinear", [quantized, scale, zero], [behind], f"{behind}_dequantize", **options)
            )
        else:
            # Engines compute a cast and a product of constants once, when they load the model; a DequantizeLinear
            # they would keep for an int8 kernel, and run it every time.
            shape = [-1 if index == axis and weights.scales.ndim else 1 for index in range(weights.values.ndim)]
            scale = self._constant(f"{name}_scale_of_{node.name}", weights.scales.reshape(shape))
            cast = f"{behind}_cast"
            self._nodes += [
                make_node("Cast", [quantized], [cast], f"{cast}_node", to=onnx.TensorProto.FLOAT),
                make_node("Mul", [cast, scale], [behind], f"{behind}_scale"),
            ]
        node.input[1] = behind
        if weights.bias is not None:
            self._bias(node, weights, computed=computed)

    def _bias(self, node: onnx.NodeProto, weights: QuantizedWeights, *, computed: bool) -> None:
        assert weights.bias is not None
        name = f"{node.name}_bias"
        if computed and self._quantizer.target.quantized_bias:
            scales = (weights.scales * np.float32(self._input_scale(node))).astype(np.float32)
            values = np.rint(weights.bias.astype(np.float64) / scales).astype(np.int32)
            parts = self._constant(f"{name}_int32", values), self._constant(f"{name}_scale", scales)
            zero = self._constant(f"{name}_zero", np.zeros(scales.shape, np.int32))
            options: dict[str, Any] = {"axis": 0} if scales.ndim else {}
            self._nodes.append(
                make_node("DequantizeLinear", [*parts, zero], [f"{name}_dequantized"], f"{name}_dequantize", **options)
            )
            bias = f"{name}_dequantized"
        else:
            bias = self._constant(name, weights.bias)
        while len(node.input) < 3:
            node.input.append("")
        node.input[2] = bias

    def _input_scale(self, node: onnx.NodeProto) -> float:
        """Of what a unit's operator takes first."""
        source, wide = self._main[node.name].inputs[0], node.name in self._plan.wide
        return self._quantizer.target.activation_scale(*self._ranges[wide][source], wide=wide)[0]

    def _quantize_constants(self, node: onnx.NodeProto) -> None:
        """Constants that an Add, Mul or Concat takes beside what is computed."""
        wide = node.name in self._plan.wide
        for position, name in enumerate(node.input):
            values = self._graph.constants.get(name)
            if values is None or values.dtype != np.float32 or (node.op_type in ("Clip", "Pad", "Resize") and position):
                continue
            low, high = float(values.min()), float(values.max())
            scale, zero = self._quantizer.target.activation_scale(low, high, wide=wide)
            info = np.iinfo(zero.dtype)
            quantized = np.rint(values / np.float32(scale) + zero).clip(info.min, info.max).astype(zero.dtype)
            label = _label(name, wide)
            parts = [
                self._constant(f"{label}_quantized", quantized),
                self._constant(f"{label}_scale", np.float32(scale)),
                self._constant(f"{label}_zero_point", zero),
            ]
            behind = f"{name}_dequantized_of_{node.name}"
            self._nodes.append(make_node("DequantizeLinear", parts, [behind], f"{behind}_node", domain=_DOMAINS[wide]))
            node.input[position] = behind

    def _constant(self, name: str, values: Array | np.generic) -> str:
        while name in self._graph.readers or name in self._graph.makers:
            name += "_"
        self._constants.setdefault(name, initializer(name, values))
        return name


def _label(name: str, wide: bool) -> str:
    """What the integers of a tensor and their scale are named after."""
    return f"{name}_16bit" if wide else name


def _with_room_for_bias(weights: QuantizedWeights, input_scale: float, axis: int) -> QuantizedWeights:
    """With larger scales where a bias would not fit its 32 bits: where weights are all but zero beside it."""
    assert weights.bias is not None
    magnitudes = np.abs(weights.bias.astype(np.float64))
    least = (magnitudes if weights.scales.ndim else magnitudes.max()) / (input_scale * _LARGEST_BIAS)
    scales = np.maximum(weights.scales, least).astype(np.float32)
    shape = [-1 if index == axis and scales.ndim else 1 for index in range(weights.values.ndim)]
    values = np.rint(weights.values * (weights.scales / scales).reshape(shape)).astype(np.int8)
    return QuantizedWeights(values, scales, weights.bias)
