"""Quantised graphs in the QDQ form: operators stay as they are, between pairs of QuantizeLinear and DequantizeLinear.

Every engine reads this form and fuses the pairs with the operators it has int8 kernels for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgevision.exporters.passes.ir import Array, add_constant, constant, to_proto
from edgevision.exporters.quantization.fine_inputs import refine_inputs
from edgevision.exporters.quantization.float_layers import keep_float
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.units import FOLLOWERS, Unit, channel_axis

Range = tuple[float, float]

# Half of what an int32 holds: the other half is for the products that are added to it.
_LARGEST_BIAS = 2**30
_DOMAIN_OF_16_BITS = "com.microsoft"
# ONNX has 16 bits from opset 21 on only; ONNX Runtime's operators have them with any, and OpenVINO reads them too.
_DOMAINS = {False: "", True: _DOMAIN_OF_16_BITS}


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
        int8: names of units.
        weight_only: names of nodes that compute in float with weights that are int8 in the file.
        a16w8: those of ``int8`` that take and give activations of 16 bits.
        fine_inputs: whether what the network is given is taken in two parts of 8 bits.
        finetuned: whether scales, biases and ranges are those that were trained.
        rewritten: whether the graph is the one that int8 is made of, where nothing is int8.
    """

    int8: frozenset[str] = frozenset()
    weight_only: frozenset[str] = frozenset()
    a16w8: frozenset[str] = frozenset()
    fine_inputs: bool = False
    finetuned: bool = False
    rewritten: bool = False


@dataclass(frozen=True)
class Quantizer:
    """Makes the quantised form of one float model for one target, for any :class:`Plan`.

    Attributes:
        ranges: the lowest and highest value of each tensor that units take or give.
        weights: of int8 arithmetic, by node; ``weight_only`` those that float arithmetic is done with.
        ranges_of_16_bits: as ``ranges``, for activations of 16 bits.
    """

    model: onnx_ir.Model
    units: Mapping[str, Unit]
    target: Target
    ranges: Mapping[str, Range]
    weights: Mapping[str, QuantizedWeights]
    weight_only: Mapping[str, QuantizedWeights] = field(default_factory=dict)
    ranges_of_16_bits: Mapping[str, Range] = field(default_factory=dict)

    @property
    def computable(self) -> list[Unit]:
        """The units that the target has int8 kernels for, in the order of the graph."""
        return [unit for unit in self.units.values() if self.target.has_kernel(unit)]

    @property
    def everything(self) -> Plan:
        """All of them in int8."""
        return Plan(frozenset(unit.name for unit in self.computable))

    @property
    def has_fine_inputs(self) -> bool:
        """Whether taking what the network is given in two parts makes another model."""
        if not self.target.fine_inputs:
            return False
        plain, fine = (self(replace(self.everything, fine_inputs=fine)) for fine in (False, True))
        return len(plain.graph.node) != len(fine.graph.node)

    @property
    def weight_only_sizes(self) -> dict[str, int]:
        """How many numbers the weights have that can be stored, by node."""
        return {name: weights.values.size for name, weights in self.weight_only.items()}

    def __call__(self, plan: Plan) -> onnx.ModelProto:
        """The model of ``plan``; the inputs and outputs stay float32."""
        return _Rewriting(self, plan).model()


class _Rewriting:
    """One plan, carried out on a copy of the model. Tensors have the names they had before, whatever became of them."""

    def __init__(self, quantizer: Quantizer, plan: Plan) -> None:
        self._quantizer, self._plan = quantizer, plan
        self._model = quantizer.model.clone()
        self._nodes = tuple(self._model.graph)
        values = [value for node in self._nodes for value in (*node.inputs, *node.outputs) if value is not None]
        self._names = {value: str(value.name) for value in values}
        self._taken_names = frozenset(self._names.values())
        self._constants: dict[str, onnx_ir.Value] = {}
        chosen = [quantizer.units[name] for name in plan.int8]
        self._main = {unit.name: unit for unit in chosen}
        self._ranges = {False: dict(quantizer.ranges), True: dict(quantizer.ranges_of_16_bits)}
        # What int8 kernels give, everybody reads from behind the pair: only then the engines fuse it. By tensor,
        # whether it has 16 bits.
        self._behind: dict[str, bool] = {}
        self._stay_in_int8(chosen)
        self._paired: dict[tuple[str, bool], onnx_ir.Value] = {}
        self._quantized: dict[tuple[str, bool], onnx_ir.Value] = {}
        # What is to stand before or behind the node that is being rewritten.
        self._new: list[onnx_ir.Node] = []

    def model(self) -> onnx.ModelProto:
        graph = self._model.graph
        for node in self._nodes:
            self._rewrite(node)
            graph.insert_before(node, self._take_new())
            for value in node.outputs:
                if self._names[value] in self._behind:
                    self._pair(value, self._behind[self._names[value]])
            graph.insert_after(node, self._take_new())
        if self._plan.fine_inputs:
            refine_inputs(self._model)
        # What is read in the other format only is not needed in its own, and NPUs do not take what nobody reads.
        RemoveUnusedNodesPass()(self._model)
        keep_float(self._model)
        if any(node.domain == _DOMAIN_OF_16_BITS for node in graph):
            graph.opset_imports.setdefault(_DOMAIN_OF_16_BITS, 1)
        return to_proto(self._model)

    def _take_new(self) -> list[onnx_ir.Node]:
        taken, self._new = self._new, []
        return taken

    def _stay_in_int8(self, chosen: Collection[Unit]) -> None:
        """Note what the units give in int8, and what nodes give that move values from one of them to another.

        What only float operators read, a kernel that can gives in float: that is faster, and rounds once less.
        """
        if self._quantizer.target.rounds_inputs:
            return
        quantized = {unit.output for unit in chosen}
        wanted = {name for unit in chosen for name in unit.inputs}
        forward: list[tuple[str, str]] = []
        for node in self._nodes:
            if node.op_type not in FOLLOWERS or len(node.outputs) != 1 or node.inputs[0] is None:
                continue
            source, output = self._names[node.inputs[0]], self._names[node.outputs[0]]
            if source in quantized:
                forward.append((source, output))
                quantized.add(output)
        for source, output in reversed(forward):
            if output in wanted:
                wanted.add(source)
        for unit in chosen:
            if unit.output in wanted or unit.operator not in self._quantizer.target.gives_float:
                self._behind[unit.output] = unit.name in self._plan.a16w8
        for source, output in forward:
            if output in wanted:
                self._behind[output] = a16w8 = self._behind[source]
                self._ranges[a16w8][output] = self._ranges[a16w8][source]

    def _rewrite(self, node: onnx_ir.Node) -> None:
        main = self._main.get(str(node.name))
        for position, value in enumerate(node.inputs):
            if value is None or constant(value) is not None:
                continue
            if main is not None:
                node.replace_input_with(position, self._pair(value, main.name in self._plan.a16w8))
            elif self._names[value] in self._behind:
                node.replace_input_with(position, self._pair(value, self._behind[self._names[value]]))
        if main is not None and main.channels is not None:
            self._weigh(node, self._quantizer.weights[main.name], computed=True)
        elif main is not None:
            self._quantize_constants(node)
        elif node.name in self._plan.weight_only:
            self._weigh(node, self._quantizer.weight_only[node.name], computed=False)

    def _pair(self, value: onnx_ir.Value, a16w8: bool) -> onnx_ir.Value:
        """What stands behind the pair for ``value`` in that format, which is made where there is none yet."""
        name = self._names[value]
        if (name, a16w8) in self._paired:
            return self._paired[name, a16w8]
        label, domain = _label(name, a16w8), _DOMAINS[a16w8]
        made = self._behind.get(name)
        source = value
        if made is not None and made != a16w8:
            # Read by nobody else: only then the engines take it with what follows for one conversion.
            parts = [self._quantized[name, made], *self._limits(name, made)]
            source = self._add("DequantizeLinear", parts, f"{label}_converted", f"{label}_convert", _DOMAINS[made])
        limits = self._limits(name, a16w8)
        integers = self._add("QuantizeLinear", [source, *limits], f"{label}_quantized", f"{label}_quantize", domain)
        behind = self._add(
            "DequantizeLinear", [integers, *limits], f"{label}_dequantized", f"{label}_dequantize", domain
        )
        if value.is_graph_output() and made == a16w8:
            outputs = self._model.graph.outputs
            behind.shape, behind.type = value.shape, value.type
            value.name, behind.name = f"{name}_computed", name
            outputs[outputs.index(value)] = behind
        self._quantized[name, a16w8], self._paired[name, a16w8] = integers, behind
        return behind

    def _limits(self, name: str, a16w8: bool) -> tuple[onnx_ir.Value, onnx_ir.Value]:
        """The scale and the zero point of a tensor in that format."""
        scale, zero = self._quantizer.target.activation_scale(*self._ranges[a16w8][name], a16w8=a16w8)
        label = _label(name, a16w8)
        return self._constant(f"{label}_scale", np.float32(scale)), self._constant(f"{label}_zero_point", zero)

    def _weigh(self, node: onnx_ir.Node, weights: QuantizedWeights, *, computed: bool) -> None:
        weight = node.inputs[1]
        assert weight is not None
        name, axis = self._names[weight], channel_axis(node)
        if computed and self._quantizer.target.quantized_bias and weights.bias is not None:
            weights = _with_room_for_bias(weights, self._input_scale(node), axis)
        integers = self._constant(f"{name}_int8_of_{node.name}", weights.values)
        behind = f"{name}_of_{node.name}"
        if computed:
            scale = self._constant(f"{name}_scale_of_{node.name}", weights.scales)
            zero = self._constant(f"{name}_zero_of_{node.name}", np.zeros(weights.scales.shape, np.int8))
            options: dict[str, Any] = {"axis": axis} if weights.scales.ndim else {}
            parts = [integers, scale, zero]
            given = self._add("DequantizeLinear", parts, behind, f"{behind}_dequantize", **options)
        else:
            # Engines compute a cast and a product of constants once, when they load the model; a DequantizeLinear
            # they would keep for an int8 kernel, and run it every time.
            shape = [-1 if index == axis and weights.scales.ndim else 1 for index in range(weights.values.ndim)]
            scale = self._constant(f"{name}_scale_of_{node.name}", weights.scales.reshape(shape))
            cast = self._add("Cast", [integers], f"{behind}_cast", f"{behind}_cast_node", to=onnx.TensorProto.FLOAT)
            given = self._add("Mul", [cast, scale], behind, f"{behind}_scale")
        node.replace_input_with(1, given)
        if weights.bias is not None:
            bias = self._bias(node, weights, weights.bias, computed=computed)
            node.resize_inputs(max(3, len(node.inputs)))
            node.replace_input_with(2, bias)

    def _bias(self, node: onnx_ir.Node, weights: QuantizedWeights, values: Array, *, computed: bool) -> onnx_ir.Value:
        name = f"{node.name}_bias"
        if not computed or not self._quantizer.target.quantized_bias:
            return self._constant(name, values)
        scales = (weights.scales * np.float32(self._input_scale(node))).astype(np.float32)
        integers = np.rint(values.astype(np.float64) / scales).astype(np.int32)
        parts = [
            self._constant(f"{name}_int32", integers),
            self._constant(f"{name}_scale", scales),
            self._constant(f"{name}_zero", np.zeros(scales.shape, np.int32)),
        ]
        options: dict[str, Any] = {"axis": 0} if scales.ndim else {}
        return self._add("DequantizeLinear", parts, f"{name}_dequantized", f"{name}_dequantize", **options)

    def _input_scale(self, node: onnx_ir.Node) -> float:
        """Of what a unit's operator takes first."""
        unit = self._main[str(node.name)]
        a16w8 = unit.name in self._plan.a16w8
        return self._quantizer.target.activation_scale(*self._ranges[a16w8][unit.inputs[0]], a16w8=a16w8)[0]

    def _quantize_constants(self, node: onnx_ir.Node) -> None:
        """Constants that an Add, Mul or Concat takes beside what is computed."""
        a16w8 = node.name in self._plan.a16w8
        for position, value in enumerate(node.inputs):
            values = constant(value)
            if values is None or values.dtype != np.float32 or (node.op_type in ("Clip", "Pad", "Resize") and position):
                continue
            assert value is not None
            low, high = float(values.min()), float(values.max())
            scale, zero = self._quantizer.target.activation_scale(low, high, a16w8=a16w8)
            info = np.iinfo(zero.dtype)
            integers = np.rint(values / np.float32(scale) + zero).clip(info.min, info.max).astype(zero.dtype)
            name = self._names[value]
            label = _label(name, a16w8)
            parts = [
                self._constant(f"{label}_quantized", integers),
                self._constant(f"{label}_scale", np.float32(scale)),
                self._constant(f"{label}_zero_point", zero),
            ]
            behind = f"{name}_dequantized_of_{node.name}"
            domain = _DOMAINS[a16w8]
            node.replace_input_with(position, self._add("DequantizeLinear", parts, behind, f"{behind}_node", domain))

    def _add(
        self,
        operator: str,
        inputs: Sequence[onnx_ir.Value],
        output: str,
        name: str,
        domain: str = "",
        **options: Any,
    ) -> onnx_ir.Value:
        """What a new node gives."""
        given = onnx_ir.val(output)
        self._new.append(onnx_ir.node(operator, inputs, options, domain=domain, outputs=[given], name=name))
        return given

    def _constant(self, name: str, values: Array | np.generic) -> onnx_ir.Value:
        while name in self._taken_names:
            name += "_"
        if name not in self._constants:
            self._constants[name] = add_constant(self._model, name, np.array(values, order="C"))
        return self._constants[name]


def _label(name: str, a16w8: bool) -> str:
    """What the integers of a tensor and their scale are named after."""
    return f"{name}_16bit" if a16w8 else name


def _with_room_for_bias(weights: QuantizedWeights, input_scale: float, axis: int) -> QuantizedWeights:
    """With larger scales where a bias would not fit its 32 bits: where weights are all but zero beside it."""
    assert weights.bias is not None
    magnitudes = np.abs(weights.bias.astype(np.float64))
    least = (magnitudes if weights.scales.ndim else magnitudes.max()) / (input_scale * _LARGEST_BIAS)
    scales = np.maximum(weights.scales, least).astype(np.float32)
    shape = [-1 if index == axis and scales.ndim else 1 for index in range(weights.values.ndim)]
    values = np.rint(weights.values * (weights.scales / scales).reshape(shape)).astype(np.int8)
    return QuantizedWeights(values, scales, weights.bias)
