"""A network of a few layers, in float and in int8 as the export writes it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from edgevision.exporters.quantization.batches import Portions
from edgevision.exporters.quantization.calibrated import calibrated_quantizer
from edgevision.exporters.quantization.targets import TARGETS
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine

Array = np.ndarray[Any, Any]


def opened(model: onnx.ModelProto) -> Engine:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        return open_engine(path, threads=1)


@pytest.fixture(scope="session")
def inputs() -> Array:
    """Sixteen inputs for the network."""
    return np.random.default_rng(1).standard_normal((16, 3, 12, 12), np.float32)


@pytest.fixture(scope="session")
def network() -> onnx.ModelProto:
    """Convolutions one, two and three, whose channels are far from alike, a shortcut over the last two, and a head."""
    generator = np.random.default_rng(0)
    constants = {"w_one": generator.standard_normal((8, 3, 3, 3), np.float32) / 5}
    constants |= {f"w_{name}": generator.standard_normal((8, 8, 3, 3), np.float32) / 8 for name in ("two", "three")}
    constants["w_head"] = generator.standard_normal((4, 8, 1, 1), np.float32) / 3
    constants["w_two"] *= np.geomspace(0.1, 3, 8, dtype=np.float32)[:, None, None, None]
    constants |= {f"b_{name}": np.full(4 if name == "head" else 8, 0.1, np.float32) for name in NAMES}
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        make_node("Conv", ["x", "w_one", "b_one"], ["c_one"], "one", **pads),
        make_node("Relu", ["c_one"], ["r_one"], "relu_one"),
        make_node("Conv", ["r_one", "w_two", "b_two"], ["c_two"], "two", **pads),
        make_node("Relu", ["c_two"], ["r_two"], "relu_two"),
        make_node("Conv", ["r_two", "w_three", "b_three"], ["c_three"], "three", **pads),
        make_node("Add", ["c_three", "r_one"], ["sum"], "shortcut"),
        make_node("Conv", ["sum", "w_head", "b_head"], ["y"], "head"),
    ]
    graph = make_graph(
        nodes,
        "graph",
        [make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, 12, 12))],
        [make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 4, 12, 12))],
        [from_array(values, name) for name, values in constants.items()],
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model


NAMES = ("one", "two", "three", "head")


@pytest.fixture(scope="session")
def int8(network: onnx.ModelProto, inputs: Array) -> onnx.ModelProto:
    """All of it in int8, its channels brought to the same range first."""
    quantizer, _ = calibrated_quantizer(
        network, Portions([[[inputs[:8]], [inputs[8:]]]]), TARGETS["x86-vnni"], opened, TimeBudget(600)
    )
    return quantizer(quantizer.everything)
