"""An NPU's own compiler is asked before a model for it is offered, and what it refuses is named."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from small_models import model_of, random, run

from edgevision.core.errors import CompilationError, DeviceError
from edgevision.exporters.quantization import npu_compiler
from edgevision.exporters.quantization.npu_compiler import check_compiles, first_refused
from edgevision.exporters.quantization.targets import find_target


def quantized() -> onnx.ModelProto:
    pair = ("QuantizeLinear", "DequantizeLinear")
    nodes = [
        make_node(pair[0], ["x", "s", "z"], ["xq"]),
        make_node(pair[1], ["xq", "s", "z"], ["xd"]),
        make_node(pair[1], ["w", "s", "i"], ["wd"]),
        make_node("Conv", ["xd", "wd"], ["c"], name="first", kernel_shape=[1, 1]),
        make_node(pair[0], ["c", "s", "z"], ["cq"]),
        make_node(pair[1], ["cq", "s", "z"], ["cd"]),
        make_node(pair[1], ["v", "s", "i"], ["vd"]),
        make_node("Conv", ["cd", "vd"], ["d"], name="second", kernel_shape=[1, 1]),
        make_node("Tanh", ["d"], ["y"], name="third"),
    ]
    weights = np.random.default_rng(0).integers(-127, 128, (3, 3, 1, 1)).astype(np.int8)
    constants: dict[str, Any] = {"s": np.float32(0.02), "z": np.uint8(100), "i": np.int8(0), "w": weights, "v": weights}
    return model_of(nodes, constants, (1, 3, 4, 4))


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_the_first_operator_is_found_with_which_a_part_is_refused(name: str) -> None:
    parts: list[onnx.ModelProto] = []

    def refused(part: onnx.ModelProto) -> bool:
        parts.append(part)
        return name in {node.name for node in part.graph.node}

    assert first_refused(quantized(), refused).name == name
    for part in parts:
        # A part is a model that runs, with what quantises what its last operator gives.
        run(part, random(1, 3, 4, 4))
        assert {"xq", "xd", "wd"} <= {name for node in part.graph.node for name in node.output}


def test_the_refused_operator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened:
        def close(self) -> None: ...

    def compile_(path: Path, device: str) -> Opened:
        if any(node.op_type == "Tanh" for node in onnx.load(path).graph.node):
            raise DeviceError("QNN cannot load 'model.onnx': no memory; --device cpu runs it")
        return Opened()

    monkeypatch.setattr(npu_compiler, "open_engine", compile_)
    monkeypatch.setattr(npu_compiler, "unavailable_reason", lambda *_, **__: None)
    words = r"qualcomm-htp's own compiler \(qnn:npu\) refuses .*operator Tanh 'third': QNN cannot load .*: no memory; "
    with pytest.raises(CompilationError, match=words):
        check_compiles(quantized(), find_target("qualcomm-htp"))
    accepted = model_of([make_node("Relu", ["x"], ["y"])], {}, (1, 3, 4, 4))
    check_compiles(accepted, find_target("qualcomm-htp"))
    # One whose compiler is not to be had, and one that is not installed.
    check_compiles(quantized(), find_target("intel-npu"))
    monkeypatch.setattr(npu_compiler, "unavailable_reason", lambda *_, **__: "not installed")
    check_compiles(quantized(), find_target("qualcomm-htp"))
