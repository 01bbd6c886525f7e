"""Which operators are one decision between int8 and float."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node, make_opsetid

from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.targets import TARGETS
from edgevision.exporters.quantization.units import WEIGHTED, Unit, channel_axis, find_units

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Random = Callable[..., Array]

ALL = TARGETS["intel-npu"].operators | WEIGHTED


def units_of(model: onnx.ModelProto, operators: frozenset[str] = ALL) -> dict[str, Unit]:
    return {unit.name: unit for unit in find_units(to_ir(model), operators)}


def test_an_operator_and_the_activation_behind_it_are_one_unit(build: Build, random: Random) -> None:
    nodes = [make_node("Conv", ["x", "w"], ["c"]), make_node("Relu", ["c"], ["y"])]
    # The activation is no unit by itself, though this target could compute it.
    assert find_units(to_ir(build(nodes, {"w": random(6, 4, 3, 3)})), ALL) == (
        Unit(name="c", operator="Conv", nodes=("c", "y"), inputs=("x",), output="y", channels=(4, 6)),
    )


@pytest.mark.parametrize(
    ("bounds", "fused"),
    [
        (["zero", "six"], True),
        (["zero"], True),
        (["zero_in_a_list"], True),
        (["minus", "six"], False),
        (["", "six"], False),
        (["top"], False),
    ],
)
def test_a_clip_is_fused_where_it_starts_at_zero(build: Build, random: Random, bounds: list[str], fused: bool) -> None:
    constants = {"w": random(6, 4, 1, 1), "zero": np.float32(0), "six": np.float32(6), "minus": np.float32(-1)}
    # ONNX Runtime takes it, though it is no scalar.
    constants["zero_in_a_list"] = np.float32([0])
    nodes = [
        make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        make_node("Conv", ["x", "w"], ["c"]),
        make_node("Clip", ["c", *bounds], ["y"]),
    ]
    assert units_of(build(nodes, constants), WEIGHTED)["c"].nodes == (("c", "y") if fused else ("c",))


def test_an_activation_is_not_fused_where_others_see_what_it_takes(build: Build, random: Random) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["c"]),
        make_node("Relu", ["c"], ["r"]),
        make_node("Add", ["c", "r"], ["s"]),
        make_node("Relu", ["s"], ["y"]),
    ]
    units = units_of(build(nodes, {"w": random(4, 4, 1, 1)}, y=None, s=None))
    assert {name: unit.nodes for name, unit in units.items()} == {name: (name,) for name in ("c", "r", "s", "y")}


def test_units_come_in_the_order_of_the_graph_with_each_computed_input_once(build: Build, random: Random) -> None:
    nodes = [
        make_node("Mul", ["x", "half"], ["m"]),
        make_node("Add", ["m", "m"], ["a"]),
        make_node("Concat", ["x", "a", "half"], ["k"], axis=1),
        make_node("Conv", ["k", "w", "b"], ["y"]),
    ]
    constants = {"half": random(1, 4, 5, 5), "w": random(2, 12, 1, 1), "b": random(2)}
    units = find_units(to_ir(build(nodes, constants, x=(1, 4, 5, 5))), ALL)
    assert [(unit.name, unit.inputs) for unit in units] == [
        ("m", ("x",)),
        ("a", ("m",)),
        ("k", ("x", "a")),
        ("y", ("k",)),
    ]


@pytest.mark.parametrize("operators", [frozenset[str](), frozenset({"Add"})])
def test_only_the_operators_asked_for_are_found(build: Build, random: Random, operators: frozenset[str]) -> None:
    model = build([make_node("Conv", ["x", "w"], ["y"])], {"w": random(6, 4, 1, 1)})
    assert find_units(to_ir(model), operators) == ()


def test_an_operator_of_another_domain_is_not_the_one_of_that_name(build: Build) -> None:
    model = build([make_node("Add", ["x", "x"], ["y"])])
    model.graph.node[0].domain = "elsewhere"
    model.opset_import.append(make_opsetid("elsewhere", 1))
    assert units_of(model) == {}


@pytest.mark.parametrize("first", ["x", "k"])
def test_what_takes_a_constant_first_stays_float(build: Build, random: Random, first: str) -> None:
    second = "k" if first == "x" else "x"
    model = build([make_node("Add", [first, second], ["y"])], {"k": random(1, 4, 5, 5)}, x=(1, 4, 5, 5))
    assert bool(units_of(model)) == (first == "x")


@pytest.mark.parametrize(
    ("operator", "shape", "options", "channels"),
    [
        ("Conv", (6, 4, 3, 3), {}, (4, 6)),
        ("Conv", (4, 1, 3, 3), {"group": 4}, (1, 4)),
        ("ConvTranspose", (4, 6, 2, 2), {}, (4, 6)),
        ("Gemm", (4, 6), {}, (4, 6)),
        ("Gemm", (6, 4), {"transB": 1}, (4, 6)),
        ("MatMul", (4, 6), {}, (4, 6)),
    ],
)
def test_channels_are_those_in_and_out_whatever_the_layout_of_the_weights(
    build: Build, random: Random, operator: str, shape: tuple[int, ...], options: dict[str, int], channels: object
) -> None:
    x = ("batch", 4, "height", "width") if len(shape) == 4 else ("batch", 4)
    model = build([make_node(operator, ["x", "w"], ["y"], **options)], {"w": random(*shape)}, x=x)
    assert units_of(model)["y"].channels == channels
    assert shape[channel_axis(next(iter(to_ir(model).graph)))] == channels[1]


@pytest.mark.parametrize(
    ("operator", "shape", "options"),
    [
        ("Conv", (6, 4, 3), {}),
        ("Conv", (6, 4, 3, 3, 3), {}),
        ("ConvTranspose", (4, 3, 2, 2), {"group": 2}),
        ("Gemm", (4, 6), {"alpha": 0.5}),
        ("Gemm", (4, 6), {"beta": 2.0}),
        ("Gemm", (3, 6), {"transA": 1}),
        ("MatMul", (2, 4, 6), {}),
    ],
)
def test_weights_that_no_int8_kernel_takes_as_they_are_stay_float(
    build: Build, random: Random, operator: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    x = ("batch", 4, *["side"] * (len(shape) - 2)) if operator.startswith("Conv") else (3, 4)
    model = build([make_node(operator, ["x", "w"], ["y"], **options)], {"w": random(*shape)}, x=x)
    assert units_of(model) == {}


@pytest.mark.parametrize(
    ("shape", "found"), [((6,), True), ((1, 6), True), ((), True), ((1,), True), ((6, 1), False), ((6, 6), False)]
)
def test_what_a_gemm_adds_is_a_bias_only_where_it_is_the_same_for_every_row(
    build: Build, random: Random, shape: tuple[int, ...], found: bool
) -> None:
    constants = {"w": random(4, 6), "b": random(*shape)}
    model = build([make_node("Gemm", ["x", "w", "b"], ["y"])], constants, x=(6, 4))
    assert bool(units_of(model)) == found


@pytest.mark.parametrize("operator", ["Conv", "Gemm"])
def test_a_layer_with_computed_weights_or_bias_stays_float(build: Build, random: Random, operator: str) -> None:
    shape = (4, 4, 1, 1) if operator == "Conv" else (4, 4)
    x = (4, 4, 1, 1) if operator == "Conv" else (4, 4)
    computed = build([make_node(operator, ["x", "x"], ["y"])], x=x)
    assert units_of(computed) == {}
    nodes = [
        make_node("ReduceSum", ["x", "axes"], ["s"], keepdims=0),
        make_node(operator, ["x", "w", "s"], ["y"]),
    ]
    axes = np.array([0, 2, 3] if operator == "Conv" else [0])
    assert units_of(build(nodes, {"w": random(*shape), "axes": axes}, x=x)) == {}


def test_a_product_of_two_computed_matrices_stays_float(build: Build) -> None:
    assert units_of(build([make_node("MatMul", ["x", "x"], ["y"])], x=(4, 4))) == {}


def test_arithmetic_on_shapes_is_no_unit(build: Build, random: Random) -> None:
    nodes = [
        make_node("Shape", ["x"], ["count"], end=1),
        make_node("Mul", ["count", "one"], ["same"]),
        make_node("Concat", ["same", "rest"], ["shape"], axis=0),
        make_node("Reshape", ["x", "shape"], ["flat"]),
        make_node("Gemm", ["flat", "w"], ["y"]),
    ]
    constants = {"one": np.array([1]), "rest": np.array([-1]), "w": random(100, 3)}
    assert list(units_of(build(nodes, constants, x=("batch", 4, 5, 5)))) == ["y"]


def test_halves_and_doubles_are_left_alone(build: Build, random: Random) -> None:
    nodes = [
        make_node("Cast", ["x"], ["h"], to=onnx.TensorProto.FLOAT16),
        make_node("Conv", ["h", "w"], ["c"]),
        make_node("Add", ["c", "h"], ["s"]),
        make_node("Cast", ["s"], ["f"], to=onnx.TensorProto.FLOAT),
        make_node("Add", ["f", "x"], ["y"]),
    ]
    model = build(nodes, {"w": random(4, 4, 1, 1).astype(np.float16)})
    assert list(units_of(model)) == ["y"]
