"""What a network is given, in two parts of 8 bits."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_node

from edgevision.exporters.quantization.fake_quantization import FakeQuantization
from edgevision.exporters.quantization.qdq import Plan, Quantizer

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Calibrate = Callable[..., Quantizer]
Random = Callable[..., Array]
Run = Callable[..., Array]
Sqnr = Callable[[object, object], float]


@pytest.fixture
def made(build: Build, random: Random) -> onnx.ModelProto:
    nodes = [
        make_node("Conv", ["x", "w", "wb"], ["a"], pads=[1] * 4),
        make_node("Relu", ["a"], ["b"]),
        make_node("Conv", ["b", "v"], ["y"], pads=[1] * 4),
    ]
    return build(nodes, {"w": random(8, 4, 3, 3), "wb": random(8), "v": random(6, 8, 3, 3)})


def quantized(made: onnx.ModelProto, calibrate: Calibrate, x: Array, target: str) -> tuple[Quantizer, Plan]:
    """As if the calibration data had reached ten times as far, so that rounding the input costs most."""
    quantizer = calibrate(made, x, target=target)
    low, high = quantizer.ranges["x"]
    return replace(quantizer, ranges={**quantizer.ranges, "x": (10 * low, 10 * high)}), quantizer.everything


@pytest.mark.parametrize("target", ["x86-vnni", "arm64"])
@pytest.mark.parametrize("least", [-1.0, 0.0])
def test_the_input_is_rounded_more_finely_also_where_its_range_begins_at_zero(
    made: onnx.ModelProto, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, target: str, least: float
) -> None:
    x = random(4, 4, 10, 10).clip(least, 3)
    quantizer, plan = quantized(made, calibrate, x, target)
    coarse, fine = quantizer(plan), quantizer(replace(plan, fine_inputs=True))
    onnx.checker.check_model(fine, full_check=True)
    before, after = (sqnr(run(made, x), run(one, x, widely=True)) for one in (coarse, fine))
    assert after > before + 8
    assert after > 30


def test_the_arithmetic_of_all_layers_stays_int8(made: onnx.ModelProto, calibrate: Calibrate, random: Random) -> None:
    quantizer, plan = quantized(made, calibrate, random(4, 4, 10, 10), "x86-vnni")
    assert quantizer.has_fine_inputs
    fine = quantizer(replace(plan, fine_inputs=True))
    makers = {node.output[0]: node for node in fine.graph.node}
    convolutions = [node for node in fine.graph.node if node.op_type == "Conv"]
    assert [makers[node.input[0]].op_type for node in convolutions] == ["DequantizeLinear"] * 2
    shapes = {tensor.name: tuple(tensor.dims) for tensor in fine.graph.initializer}
    # The second layer is as it was.
    assert [shapes[makers[node.input[1]].input[0]] for node in convolutions] == [(8, 8, 3, 3), (6, 8, 3, 3)]
    assert Counter(node.op_type for node in fine.graph.node)["Concat"] == 1
    assert set(shapes) == {name for node in fine.graph.node for name in node.input if name in shapes}


@pytest.mark.parametrize("target", ["x86-avx2", "jetson-orin", "qualcomm-htp"])
def test_nothing_is_done_for_targets_whose_kernels_it_does_not_suit(
    made: onnx.ModelProto, calibrate: Calibrate, random: Random, target: str
) -> None:
    assert not quantized(made, calibrate, random(4, 4, 10, 10), target)[0].has_fine_inputs


def test_what_is_trained_computes_the_same(
    made: onnx.ModelProto, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    x = random(4, 4, 10, 10)
    quantizer, plan = quantized(made, calibrate, x, "x86-vnni")
    plan = replace(plan, fine_inputs=True)
    training = FakeQuantization(quantizer, plan)
    (found,) = training(torch.from_numpy(x))
    assert sqnr(run(quantizer(plan), x, literally=True), found.detach().numpy()) > 45
    # Nothing was learned.
    assert sqnr(run(quantizer(plan), x, literally=True), run(training.learned()(plan), x, literally=True)) > 45
