"""The layers of an ONNX graph, with its pairs of QuantizeLinear and DequantizeLinear taken for parts of them."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.helper import make_tensor_value_info

from edgevision.exporters.comparison.layer_graph import Layer, Values
from edgevision.exporters.passes.channel_scales import CHANNEL_SCALE_KEY, decoded_scale
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.samples import Batch

HOMOGENEOUS = frozenset({"AveragePool", "LeakyRelu", "MaxPool", "PRelu", "Relu"})
"""Operators behind which channels are scaled as in front."""

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
_FUSED = frozenset({"Clip", "Relu"})
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


class OnnxLayers:
    """A :class:`.LayerGraph` of a model in memory, run by ONNX Runtime on the CPU.

    ``target`` is the kind of device whose int8 arithmetic it was made for.
    """

    def __init__(self, model: onnx.ModelProto, target: str | None = None) -> None:
        self._target = target
        self._reading = _Reading(model)
        self.layers, self.outputs = self._reading.layers, self._reading.outputs
        self._whole = self._opened(self._reading.tapped())
        self.inputs = self._whole.inputs
        self._cut: tuple[Collection[str], Engine] | None = None

    def values(self, batch: Batch) -> Values:
        return self._run(self._whole, dict(zip((spec.name for spec in self.inputs), batch, strict=True)))

    def own_values(self, batch: Batch, given: Mapping[str, NDArray[Any]]) -> Values:
        if self._cut is None or self._cut[0] != given.keys():
            self._cut = set(given), self._opened(self._reading.cut({name: a.ndim for name, a in given.items()}))
        engine = self._cut[1]
        feeds: dict[str, NDArray[Any]] = dict(zip((spec.name for spec in self.inputs), batch, strict=True))
        feeds |= {_given(name): value for name, value in given.items()}
        return self._run(engine, {spec.name: feeds[spec.name].astype(spec.dtype) for spec in engine.inputs})

    def _run(self, engine: Engine, feeds: Mapping[str, NDArray[Any]]) -> Values:
        found = dict(zip((spec.name for spec in engine.outputs), engine.run(feeds), strict=True))
        return {output: found[seen] for output, seen in self._reading.seen_as.items()}

    def _opened(self, model: onnx.ModelProto) -> Engine:
        """The engine of ``model``, which says no more of itself than for which arithmetic it was made."""
        del model.metadata_props[:]
        metadata = ModelMetadata(task=OTHER.name, name="layers", target=self._target)
        add_metadata(model, METADATA_KEY, metadata.to_json())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "layers.onnx"
            file.write_bytes(model.SerializeToString())
            return open_engine(file)


class _Reading:
    """What of a graph are its layers, and how their outputs are called.

    Attributes:
        seen_as: by the output of each layer, the value that is compared: behind the quantiser's pair where the layer
            itself is quantised; where it is not, the pair belongs to whatever reads it.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        graph = model.graph
        self._types = _element_types(model)
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._constant = constant = set(self._constants)
        # What each value is the output of: what only brings another one into another format is that one still.
        self._origin = {value.name: value.name for value in graph.input if value.name not in constant}
        self._made: dict[str, onnx.NodeProto] = {}
        names: dict[str, list[str]] = {}
        nodes: dict[str, onnx.NodeProto] = {}
        self._integers: set[str] = set()
        for node in graph.node:
            self._made |= dict.fromkeys(node.output, node)
            given = [name for name in node.input if name]
            if all(name in constant for name in given):
                constant |= set(node.output)
                if any(name in self._integers or self._is_int8(name) for name in given):
                    self._integers |= set(node.output)
                continue
            if self._changes_format_only(node) and node.input[0] in self._origin:
                origin = self._origin[node.input[0]]
                self._origin[node.output[0]] = origin
                names.setdefault(origin, []).append(node.output[0])
                continue
            if self._types.get(node.output[0], TensorProto.FLOAT) not in _FLOATS:
                continue  # it computes shapes, or is the number of a class
            self._origin |= dict.fromkeys(node.output, node.output[0])
            nodes[node.output[0]] = node
            names.setdefault(node.output[0], [])
        self._names = names
        self.seen_as: dict[str, str] = {}
        scales: dict[str, NDArray[Any]] = {}
        self._precisions: dict[str, str] = {}
        layers = []
        for output, node in nodes.items():
            inputs = tuple(dict.fromkeys(self._origin[name] for name in node.input if name in self._origin))
            self._precisions[output] = precision = self._precision(node)
            quantized = precision.startswith("int8")
            self.seen_as[output] = ([output, *names[output]] if quantized else [output])[-1]
            if node.op_type in HOMOGENEOUS and inputs and inputs[0] in scales:
                scales[output] = scales[inputs[0]]
            own = next((entry.value for entry in node.metadata_props if entry.key == CHANNEL_SCALE_KEY), None)
            if own is not None and (scale := decoded_scale(own)) is not None:
                scales[output] = scale
            layers.append(
                Layer(
                    name=node.name or output,
                    operator=node.op_type,
                    output=output,
                    inputs=inputs,
                    names=frozenset((output, *names[output])),
                    precision=precision,
                    limits=self._limits(output),
                    channel_scale=scales.get(output),
                )
            )
        self.layers = tuple(layers)
        self.outputs = tuple(self._origin.get(value.name, value.name) for value in graph.output)

    def tapped(self) -> onnx.ModelProto:
        """The model with the outputs of all layers for outputs."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.output[:]
        model.graph.output.extend(
            make_tensor_value_info(seen, self._types.get(seen, TensorProto.FLOAT), None)
            for seen in dict.fromkeys(self.seen_as.values())
        )
        return model

    def cut(self, ranks: Mapping[str, int]) -> onnx.ModelProto:
        """The model in which those outputs of layers, of so many axes, are inputs to all that reads them."""
        model = self.tapped()
        replaced: dict[str, str] = {}
        for output in ranks:
            own = [output, *self._names[output]]
            # Up to what is compared they lead from the layer; what is behind belongs to those that read it.
            until = own.index(self.seen_as[output])
            replaced |= dict.fromkeys(own if until else [output], output)
        within = {name for output in ranks for name in self._names[output] if self.seen_as[output] != output}
        read: dict[str, int] = {}
        for node in model.graph.node:
            if within & set(node.output):
                continue
            for position, name in enumerate(node.input):
                if name in replaced:
                    node.input[position] = _given(replaced[name])
                    read[replaced[name]] = self._types.get(name, TensorProto.FLOAT)
        model.graph.input.extend(
            make_tensor_value_info(_given(output), kind, [f"{output}_{axis}" for axis in range(ranks[output])])
            for output, kind in read.items()
        )
        return model

    def _changes_format_only(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Cast":
            to = next(attribute.i for attribute in node.attribute if attribute.name == "to")
            return to in _FLOATS and self._types.get(node.input[0], TensorProto.FLOAT) in _FLOATS
        if node.op_type == "LeakyRelu":  # with which int8 graphs keep a layer float
            return any(attribute.name == "alpha" and attribute.f == 1 for attribute in node.attribute)
        return node.op_type in (_QUANTIZE, _DEQUANTIZE, "Identity")

    def _precision(self, node: onnx.NodeProto) -> str:
        """In the words of reports; a layer is int8 where all that it computes with came out of a pair.

        So is an activation that stands between such a layer and the pair behind both.
        """
        if node.op_type in _FUSED and self._names.get(node.input[0]) == []:
            return self._precisions[node.input[0]]
        sources = [self._made[name] for name in node.input if name in self._origin and name in self._made]
        pairs = [source for source in sources if source.op_type == _DEQUANTIZE]
        weights = [name for name in node.input if name in self._integers]
        float_weights = node.op_type in _WEIGHTED and not weights and set(node.input[1:2]) <= self._constant
        if pairs and not float_weights and len(pairs) == len([name for name in node.input if name in self._origin]):
            zero = self._constants.get(pairs[0].input[2]) if len(pairs[0].input) > 2 else None
            wide = zero is not None and zero.data_type in (TensorProto.UINT16, TensorProto.INT16)
            return "int8, 16-bit activations" if wide else "int8"
        if weights:
            return "float, weights stored in int8"
        if self._types.get(node.output[0]) == TensorProto.FLOAT16:
            return "fp16"
        return "float"

    def _is_int8(self, name: str) -> bool:
        tensor = self._constants.get(name)
        return tensor is not None and tensor.data_type in (TensorProto.INT8, TensorProto.UINT8) and len(tensor.dims) > 1

    def _limits(self, output: str) -> tuple[float, float] | None:
        """Of the last pair that its output goes through."""
        for name in reversed(self._names[output]):
            node = self._made[name]
            if node.op_type != _DEQUANTIZE or len(node.input) < 3:
                continue
            scale, zero = (self._constants.get(name) for name in node.input[1:3])
            if scale is None or zero is None or scale.dims or zero.dims:
                return None
            step, offset = float(numpy_helper.to_array(scale)), int(numpy_helper.to_array(zero))
            ends = np.iinfo(numpy_helper.to_array(zero).dtype)
            return step * (int(ends.min) - offset), step * (int(ends.max) - offset)
        return None


def _given(output: str) -> str:
    return f"{output} given"


def _element_types(model: onnx.ModelProto) -> dict[str, int]:
    """As far as they follow from the inputs'."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # for operators that it does not know, of its C++ side
        graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return {name: kind for name, kind in types.items() if kind}
