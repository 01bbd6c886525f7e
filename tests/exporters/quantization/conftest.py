"""Graphs of a few nodes, and what it takes to run and to quantise them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.helper import make_graph, make_model, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.observations import observe
from edgevision.exporters.quantization.qdq import Quantizer
from edgevision.exporters.quantization.ranges import RangeMethod, choose_range
from edgevision.exporters.quantization.targets import TARGETS, for_format
from edgevision.exporters.quantization.units import WEIGHTED, find_units
from edgevision.exporters.quantization.weights import quantize_weights
from edgevision.modelfiles.model_file import ModelFormat

Array = np.ndarray[Any, Any]
Shape = Sequence[int | str | None]


@pytest.fixture(scope="session")
def random() -> Callable[..., Array]:
    """Normal float32 values of a shape, the same every time."""

    def draw(*shape: int, seed: int = 0) -> Array:
        return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)

    return draw


@pytest.fixture(scope="session")
def build() -> Callable[..., onnx.ModelProto]:
    """A checked model from ``x`` to ``y``; a node without a name takes that of what it gives."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        constants: Mapping[str, Array] | None = None,
        x: Shape = ("batch", 4, "height", "width"),
        **outputs: Shape | None,
    ) -> onnx.ModelProto:
        for node in nodes:
            node.name = node.name or node.output[0]
        graph = make_graph(
            nodes,
            "graph",
            [make_tensor_value_info("x", onnx.TensorProto.FLOAT, x)],
            [
                make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
                for name, shape in (outputs or {"y": None}).items()
            ],
            [from_array(np.array(values, order="C"), name) for name, values in (constants or {}).items()],
        )
        model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model

    return make


@pytest.fixture(scope="session")
def run() -> Callable[..., Array]:
    """The first output of a model; ``literally`` as it is written, without kernels that fuse its parts.

    ``widely`` are sums that this machine's kernels would saturate, as in files made for other devices.
    """

    def first_output(model: onnx.ModelProto, x: Array, *, literally: bool = False, widely: bool = False) -> Array:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        if widely:
            options.add_session_config_entry("session.x64quantprecision", "1")
        if literally:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        output: Array = session.run(None, {session.get_inputs()[0].name: x})[0]
        return output

    return first_output


@pytest.fixture(scope="session")
def calibrate() -> Callable[..., Quantizer]:
    """The quantiser of a model for a target, with ranges and weights from arrays for its one input."""

    def make(
        model: onnx.ModelProto, *arrays: Array, target: str = "x86-avx2", format: ModelFormat = ModelFormat.ONNX
    ) -> Quantizer:
        device = for_format(TARGETS[target], format)
        ir = to_ir(model)
        nodes = {node.name: node for node in ir.graph}
        units = {unit.name: unit for unit in find_units(ir, device.operators | WEIGHTED)}
        seen = observe(ir, units.values(), [[[array]] for array in arrays])
        ranges = {name: choose_range(histogram, RangeMethod.MINMAX) for name, histogram in seen.histograms.items()}
        weights, weight_only = (
            {
                name: quantize_weights(
                    nodes[name],
                    inputs,
                    pair_limit=limit,
                    per_channel=nodes[name].op_type not in device.per_tensor,
                )
                for name, inputs in seen.inputs.items()
            }
            for limit in (device.pair_limit, None)
        )
        return Quantizer(ir, units, device, ranges, weights, weight_only, ranges)

    return make
