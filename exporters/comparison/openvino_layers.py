"""The layers of an OpenVINO IR, with its FakeQuantize operations taken for parts of them."""

import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.comparison.layer_graph import Layer, Values
from edgevision.exporters.passes.channel_scales import CHANNEL_SCALES_KEY, decoded_scale
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.engines.openvino_engine import openvino_core
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.samples import Batch

_HOMOGENEOUS = frozenset({"AvgPool", "MaxPool", "PRelu", "Relu"})
_DEVICE = "openvino:cpu"
_QUANTIZED = "_dequantized"
"""Ends the name of what our export puts behind a layer that is quantised."""


class OpenVinoLayers:
    """A :class:`.LayerGraph` of an ``.xml`` file, run by OpenVINO on the CPU.

    ``target`` is the kind of device whose int8 arithmetic it was made for.
    """

    def __init__(self, path: Path, target: str | None = None) -> None:
        self._path, self._target = path, target
        reading = _Reading(openvino_core().read_model(path))
        self.layers, self.outputs = reading.layers, reading.outputs
        self._whole = self._opened(reading.tapped({}))
        self.inputs = self._whole.inputs
        self._cut: tuple[Collection[str], Engine] | None = None

    def values(self, batch: Batch) -> Values:
        return self._run(self._whole, dict(zip((spec.name for spec in self.inputs), batch, strict=True)))

    def own_values(self, batch: Batch, given: Mapping[str, NDArray[Any]]) -> Values:
        if self._cut is None or self._cut[0] != given.keys():
            reading = _Reading(openvino_core().read_model(self._path))
            self._cut = set(given), self._opened(reading.tapped({name: a.ndim for name, a in given.items()}))
        engine = self._cut[1]
        feeds: dict[str, NDArray[Any]] = dict(zip((spec.name for spec in self.inputs), batch, strict=True))
        feeds |= {_given(name): value for name, value in given.items()}
        return self._run(engine, {spec.name: feeds[spec.name].astype(spec.dtype) for spec in engine.inputs})

    def _run(self, engine: Engine, feeds: Mapping[str, NDArray[Any]]) -> Values:
        found = engine.run(feeds)
        return {layer.output: value for layer, value in zip(self.layers, found, strict=False)}

    def _opened(self, model: Any) -> Engine:
        """The engine of ``model``, which says no more of itself than for which arithmetic it was made."""
        import openvino

        metadata = ModelMetadata(task=OTHER.name, name="layers", target=self._target)
        model.set_rt_info(metadata.to_json(), [METADATA_KEY])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "layers.xml"
            openvino.save_model(model, file, compress_to_fp16=False)
            return open_engine(file, _DEVICE)


@dataclass
class _Operation:
    """A layer in the making: its operation, what is known of it, and where its output is read by others."""

    operation: Any
    inputs: tuple[str, ...]
    names: frozenset[str]
    int8: bool
    seen: Any
    limits: tuple[float, float] | None = None

    @property
    def output(self) -> str:
        names: list[str] = sorted(self.operation.output(0).get_names())
        return names[0]

    def quantized_by(self, fake: Any) -> None:
        """Take a FakeQuantize for a part of the layer; a Relu before it is left out where quantising clips alike."""
        self.seen = fake.output(0)
        own = sorted(fake.output(0).get_names())
        names = {name.removesuffix(_QUANTIZED) for name in own if name.endswith(_QUANTIZED)}
        self.names = frozenset(names) or self.names | frozenset(own)
        ends = [fake.input_value(index).get_node() for index in (3, 4)]
        if all(end.get_type_name() == "Constant" and end.data.size == 1 for end in ends):
            low, high = (float(end.data.reshape(())) for end in ends)
            self.limits = low, high


class _Reading:
    """What of a graph are its layers: operations that compute in float and whose outputs have names.

    Of what has no name, as a convolution before its bias is added, nothing is known; it is part of what reads it.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        constant: set[str] = set()
        # By the name of an operation, the layers and inputs that its output comes from.
        origin: dict[str, tuple[str, ...]] = {}
        quantizing: set[str] = set()
        self._found: dict[str, _Operation] = {}
        for operation in model.get_ordered_ops():
            kind, name = operation.get_type_name(), operation.get_friendly_name()
            sources = [port.get_source_output().get_node().get_friendly_name() for port in operation.inputs()]
            if kind == "Result":
                continue
            if kind == "Parameter":
                origin[name] = (sorted(operation.output(0).get_names())[0],)
                continue
            computed = [source for source in sources if source not in constant]
            if not computed:
                constant.add(name)
                continue
            read = tuple(dict.fromkeys(one for source in computed for one in origin[source]))
            origin[name] = read
            int8 = all(source in quantizing for source in computed)
            if kind == "FakeQuantize":
                quantizing.add(name)
                layer = self._found.get(read[0])
                if layer is not None and layer.int8 and layer.limits is None and sources[0] == _name(layer.operation):
                    layer.quantized_by(operation)
                continue
            given = operation.output(0)
            names = frozenset(given.get_names())
            if not names or given.get_element_type().to_string() not in ("f32", "f16"):
                if int8:  # and so is what it is a part of
                    quantizing.add(name)
                continue
            layer = _Operation(operation, read, names, int8, given)
            self._found[layer.output] = layer
            origin[name] = (layer.output,)
        scales = _channel_scales(model)
        for output, one in self._found.items():
            own = scales.get(_name(one.operation))
            if own is None and one.operation.get_type_name() in _HOMOGENEOUS and one.inputs:
                own = scales.get(one.inputs[0])
            if own is not None:
                scales[output] = own
        self.layers = tuple(
            Layer(
                name=_name(one.operation),
                operator=one.operation.get_type_name(),
                output=output,
                inputs=one.inputs,
                names=one.names,
                precision="int8" if one.int8 else "float",
                limits=one.limits,
                channel_scale=scales.get(output),
            )
            for output, one in self._found.items()
        )
        results = [result.input_value(0).get_node() for result in model.get_results()]
        self.outputs = tuple(origin[_name(node)][0] for node in results)

    def tapped(self, ranks: Mapping[str, int]) -> Any:
        """The model with the outputs of all layers for outputs, in order.

        Those of ``ranks``, of so many axes, are inputs to all that reads them.
        """
        import openvino
        from openvino import opset13 as operations

        parameters = list(self._model.get_parameters())
        for output, rank in ranks.items():
            one = self._found[output]
            fake = one.seen.get_node()
            given = operations.parameter(openvino.PartialShape.dynamic(rank), np.float32)
            given.output(0).set_names({_given(output)})
            readers = [*one.operation.output(0).get_target_inputs(), *one.seen.get_target_inputs()]
            for reader in readers:
                if reader.get_node().get_friendly_name() != _name(fake) or one.limits is None:
                    reader.replace_source_output(given.output(0))
            parameters.append(given)
        results = [operations.result(one.seen) for one in self._found.values()]
        read = [p for p in parameters if p.output(0).get_target_inputs()]
        return openvino.Model(results, read, "layers")


def _channel_scales(model: Any) -> dict[str, NDArray[Any]]:
    """What the file says of them, by the name of the layer."""
    if not model.has_rt_info([CHANNEL_SCALES_KEY]):
        return {}
    try:
        found = json.loads(str(model.get_rt_info([CHANNEL_SCALES_KEY]).value))
        scales = {str(name): decoded_scale(str(text)) for name, text in found.items()}
    except (AttributeError, ValueError):  # somebody changed them
        return {}
    return {name: scale for name, scale in scales.items() if scale is not None}


def _name(operation: Any) -> str:
    name: str = operation.get_friendly_name()
    return name


def _given(output: str) -> str:
    return f"{output} given"
