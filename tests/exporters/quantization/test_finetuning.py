"""Training of quantised graphs: they compute what the target does, and learn to be nearer to the float model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.helper import make_node

from edgevision.exporters.quantization.fake_quantization import FakeQuantization
from edgevision.exporters.quantization.finetuning import finetune, timed_steps
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Calibrate = Callable[..., Quantizer]
Random = Callable[..., Array]
Run = Callable[..., Array]
Sqnr = Callable[[object, object], float]


@pytest.fixture(scope="module")
def network(build: Build, random: Random) -> onnx.ModelProto:
    """Two convolutions with a Relu and a shuffle between them, a sum, and a dense layer of means."""
    nodes = [
        make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4),
        make_node("Relu", ["c1"], ["r1"]),
        make_node("MaxPool", ["r1"], ["m1"], kernel_shape=[3, 3], pads=[1] * 4),
        make_node("Conv", ["m1", "w2", "b2"], ["c2"], pads=[1] * 4),
        make_node("Add", ["c2", "x"], ["a"]),
        make_node("GlobalAveragePool", ["a"], ["g"]),
        make_node("Flatten", ["g"], ["f"]),
        make_node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    constants = {
        "w1": random(16, 4, 3, 3, seed=1) / 6,
        "b1": random(16, seed=2),
        "w2": random(4, 16, 3, 3, seed=3) / 12,
        "b2": random(4, seed=4) / 4,
        "w3": random(8, 4, seed=5),
        "b3": random(8, seed=6),
    }
    return build(nodes, constants)


@pytest.fixture(scope="module")
def batches(random: Random) -> list[list[Array]]:
    return [[random(8, 4, 8, 8, seed=seed)] for seed in (7, 8)]


@pytest.mark.parametrize("target", ["x86-avx2", "arm64", "jetson-orin", "qualcomm-htp"])
def test_what_is_trained_is_what_the_target_computes(
    network: onnx.ModelProto,
    batches: list[list[Array]],
    calibrate: Calibrate,
    run: Run,
    sqnr: Sqnr,
    target: str,
) -> None:
    quantizer = calibrate(network, batches[0][0], target=target)
    plan = quantizer.everything
    model = FakeQuantization(quantizer, plan)
    (x,) = batches[1]
    written = quantizer(plan)
    expected = run(written, x, literally=True)
    with torch.no_grad():
        (found,) = model(torch.from_numpy(x))
    # Where a value lies between two integers the order of a sum decides, and only there.
    assert np.mean(found.numpy() == pytest.approx(expected, abs=1e-5)) > 0.9
    assert sqnr(expected, found.numpy()) > sqnr(run(network, x), expected) + 3
    # Untrained it is the very file.
    assert model.learned()(plan) == written


def test_wide_activations_stay_wide(
    network: onnx.ModelProto, batches: list[list[Array]], calibrate: Calibrate, run: Run, sqnr: Sqnr
) -> None:
    quantizer = calibrate(network, batches[0][0], target="qualcomm-htp")
    first = min(quantizer.everything.int8)
    plan = replace(quantizer.everything, a16w8=frozenset([first]))
    model = FakeQuantization(quantizer, plan)
    (x,) = batches[1]
    with torch.no_grad():
        (found,) = model(torch.from_numpy(x))
    assert sqnr(run(quantizer(plan), x, literally=True), found.numpy()) > 40


def test_training_brings_the_output_nearer_to_the_float_model(
    network: onnx.ModelProto, batches: list[list[Array]], calibrate: Calibrate, run: Run, sqnr: Sqnr
) -> None:
    quantizer = calibrate(network, batches[0][0])
    plan = quantizer.everything
    (x,) = batches[1]
    # Scales that are a little too large: what calibration can get wrong.
    scaled = {name: replace(one, scales=one.scales * np.float32(1.02)) for name, one in quantizer.weights.items()}
    worse = replace(quantizer, weights=scaled)
    trained = finetune(worse, plan, batches[:1], steps=(step / 25 for step in range(25)), seed=0)
    wanted = run(network, x)
    before, after = (sqnr(wanted, run(one(plan), x)) for one in (worse, trained))
    assert after > before + 0.5
    # Nothing saturates that did not before.
    assert all(trained.weights[name].values is weights.values for name, weights in worse.weights.items())
    # Twice the same.
    again = finetune(worse, plan, batches[:1], steps=(step / 25 for step in range(25)), seed=0)
    assert again(plan) == trained(plan)
    other = finetune(worse, plan, batches[:1], steps=(step / 25 for step in range(25)), seed=1)
    assert other(plan) != trained(plan)


def test_what_only_moves_values_shares_the_range_that_is_learned(
    network: onnx.ModelProto, batches: list[list[Array]], calibrate: Calibrate
) -> None:
    quantizer = calibrate(network, batches[0][0])
    plan = quantizer.everything
    trained = finetune(quantizer, plan, batches[:1], steps=[0.0, 0.0], seed=0)
    session = onnxruntime.InferenceSession(trained(plan).SerializeToString())
    assert session.get_outputs()[0].name == "y"
    assert trained.ranges["r1"] != quantizer.ranges["r1"]
    assert trained.ranges["r1"] == trained.ranges["m1"]
    # The zero points stay.
    for name, (low, high) in trained.ranges.items():
        zeros = [quantizer.target.activation_scale(*bounds)[1] for bounds in ((low, high), quantizer.ranges[name])]
        assert zeros[0] == zeros[1], name


def test_what_is_float_in_the_plan_is_not_touched(
    network: onnx.ModelProto, batches: list[list[Array]], calibrate: Calibrate
) -> None:
    quantizer = calibrate(network, batches[0][0])
    names = [unit.name for unit in quantizer.computable if unit.channels is not None]
    plan = Plan(frozenset(names[:1]))
    trained = finetune(quantizer, plan, batches[:1], steps=[0.0, 0.5], seed=0)
    assert trained.weights[names[0]] is not quantizer.weights[names[0]]
    assert all(trained.weights[name] is quantizer.weights[name] for name in names[1:])
    assert trained.model is quantizer.model


def test_a_training_ends_with_the_time_of_its_stage() -> None:
    now = iter(range(1000))
    budget = TimeBudget(800, lambda: next(now))
    budget.begin(Stage.FINETUNING)
    overs = list(timed_steps(1000, budget))
    assert overs == sorted(overs)
    assert 0 < overs[0] < 0.1
    assert 0.9 < overs[-1] < 1
    (left_out,) = budget.left_out
    assert left_out == f"{1000 - len(overs)} of 1000 steps of finetuning"
    assert list(timed_steps(4, TimeBudget(1e9))) == pytest.approx([0, 0.25, 0.5, 0.75], abs=1e-6)
