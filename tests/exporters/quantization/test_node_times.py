"""What the engine's own profile says that int8 saves: names that it invented are traced back to units."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

import edgevision.exporters.quantization.node_times as node_times
from edgevision.exporters.passes.ir import to_ir, to_proto
from edgevision.exporters.quantization.node_times import Profile, expected, kernel_times, profile
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.targets import TARGETS
from edgevision.exporters.quantization.units import find_units
from edgevision.exporters.quantization.weights import quantize_weights

Array = np.ndarray[Any, Any]
Events = Mapping[str, tuple[float, float]]

FEEDS: Mapping[str, Array] = {"x": np.random.default_rng(0).standard_normal((1, 16, 8, 8), np.float32)}
OPERATORS = ("Conv", "Add")
# What the module takes a conversion of nothing for.
CONVERSION = 3.0


def two_layers() -> onnx.ModelProto:
    """Convolution and Relu, pooling, convolution, and the sum with the pooled."""
    nodes = [
        make_node("Conv", ["x", "w1"], ["c1"], "conv", pads=[1, 1, 1, 1]),
        make_node("Relu", ["c1"], ["r1"], "relu"),
        make_node("MaxPool", ["r1"], ["p1"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Conv", ["p1", "w2"], ["c2"], "conv_1", pads=[1, 1, 1, 1]),
        make_node("Add", ["c2", "p1"], ["y"], "add"),
    ]
    generator = np.random.default_rng(0)
    weights = {name: generator.standard_normal((16, 16, 3, 3), np.float32) for name in ("w1", "w2")}
    graph = make_graph(
        nodes,
        "graph",
        [make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 16, 8, 8))],
        [make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 16, 4, 4))],
        [from_array(values, name) for name, values in weights.items()],
    )
    return make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)


@pytest.fixture
def profiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Events, Events], Profile]:
    """The profile of the two layers, where the engine reports these events of the float and of the int8 model."""

    def run(before: Events, after: Events) -> Profile:
        reports = [before, after]
        monkeypatch.setattr(node_times, "kernel_times", lambda model, feeds, threads: reports.pop(0))
        graph = to_ir(two_layers())
        return profile(graph, to_proto(graph), find_units(graph, OPERATORS), FEEDS, 1)

    return run


def test_a_gain_is_the_difference_of_both_times(profiled: Callable[[Events, Events], Profile]) -> None:
    before = {"conv": (100, 0), "conv_1": (80, 0), "add": (20, 0)}
    after = {"conv": (40, 0), "conv_1": (90, 0), "add": (5, 0)}
    # The first takes the graph's input, nothing behind the last is int8: there are conversions at both ends.
    assert profiled(before, after).gain == {"conv": 60 - CONVERSION, "conv_1": -10, "add": 15 - CONVERSION}


def test_names_that_the_engine_made_up_belong_to_the_unit_they_begin_with(
    profiled: Callable[[Events, Events], Profile],
) -> None:
    before = {
        # A fused activation, a change of layout, a conversion of the tensor behind it.
        "conv_nchwc": (50, 0),
        "relu": (10, 0),
        "r1_dequantize": (7, 0),
        # The longest beginning counts, and only a whole word is one.
        "conv_1_kernel": (80, 0),
        "conv_12": (9, 0),
        "add_token_3": (4, 0),
        "addition": (1000, 0),
        "pool": (1000, 0),
    }
    gain = profiled(before, {}).gain
    assert gain["conv"] == pytest.approx(50 + 10 + 7 + 9 - CONVERSION)
    assert gain["conv_1"] == 80
    assert gain["add"] == pytest.approx(4 - CONVERSION)


def test_a_border_is_between_a_unit_and_those_that_read_it_also_behind_what_only_moves_values(
    profiled: Callable[[Events, Events], Profile],
) -> None:
    before = {"conv": (1, 10_000), "conv_1": (1, 50_000), "add": (1, 0)}
    found = profiled(before, before)
    assert [border[:2] for border in found.borders] == [("conv", "conv_1"), ("conv_1", "add"), ("conv", "add")]
    first, second, third = (cost for _, _, cost in found.borders)
    # To convert the same tensor costs the same, a larger one more.
    assert first == third == pytest.approx(CONVERSION + 2)
    assert second == pytest.approx(CONVERSION + 10)


def test_what_leaves_the_graph_is_converted_by_its_size(profiled: Callable[[Events, Events], Profile]) -> None:
    assert profiled({"add": (0, 100_000)}, {}).gain["add"] == pytest.approx(-CONVERSION - 20)


def test_a_unit_that_the_engine_does_not_report_saves_nothing(profiled: Callable[[Events, Events], Profile]) -> None:
    assert profiled({}, {}).gain == {"conv": -CONVERSION, "conv_1": 0, "add": -CONVERSION}


def test_without_a_profile_every_unit_is_expected_to_gain_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    events = {"conv_nchwc": (100, 0), "conv_1": (80, 0), "add": (20, 0)}
    monkeypatch.setattr(node_times, "kernel_times", lambda model, feeds, threads: events)
    graph = to_ir(two_layers())
    found = expected(graph, find_units(graph, OPERATORS), FEEDS, 1, speedup=2.0)
    assert found == Profile({"conv": 50, "conv_1": 40, "add": 10}, ())


def test_a_kernel_takes_what_its_fastest_run_did(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def event(name: str, microseconds: int, size: int) -> dict[str, Any]:
        return {"cat": "Node", "name": name, "dur": microseconds, "args": {"output_size": str(size)}}

    runs = [event("conv_kernel_time", microseconds, 4096) for microseconds in (4000, 90, 3900, 100)]
    others = [event("conv_fence_before", 1, 0), {"cat": "Session", "name": "model_run", "dur": 9000}]

    class Interrupted:
        """A session of which most runs were interrupted."""

        def __init__(self, *_: object, **__: object) -> None: ...

        def run(self, *_: object) -> None: ...

        def end_profiling(self) -> str:
            (tmp_path / "profile.json").write_text(json.dumps(runs + others), encoding="utf-8")
            return str(tmp_path / "profile.json")

    monkeypatch.setattr(node_times.onnxruntime, "InferenceSession", Interrupted)
    assert kernel_times(two_layers(), FEEDS, 1) == {"conv": (90, 4096)}


def test_onnx_runtime_reports_every_unit_of_the_float_and_of_the_int8_model() -> None:
    graph = to_ir(two_layers())
    units = {unit.name: unit for unit in find_units(graph, OPERATORS)}
    ranges = dict.fromkeys(("x", "r1", "p1", "c2", "y"), (-40.0, 40.0))
    weights = {
        node.name: quantize_weights(node, None, pair_limit=128)
        for node in graph.graph
        if node.name in ("conv", "conv_1")
    }
    quantizer = Quantizer(graph, units, TARGETS["x86-avx2"], ranges, weights)
    found = profile(graph, quantizer(Plan(frozenset(units))), list(units.values()), FEEDS, 1)
    assert set(found.gain) == {"conv", "conv_1", "add"}
    assert all(np.isfinite(gain) for gain in found.gain.values())
    # The first gives 16 channels of 8x8 float32 values, the second of 4x4.
    costs = {(one, other): cost for one, other, cost in found.borders}
    assert costs["conv", "conv_1"] == costs["conv", "add"] == pytest.approx(CONVERSION + 0.0002 * 4096)
    assert costs["conv_1", "add"] == pytest.approx(CONVERSION + 0.0002 * 1024)
