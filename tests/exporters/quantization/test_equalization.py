"""Channels brought to the same range without changing what is computed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_graph, make_node, make_tensor_value_info
from small_models import constants_of

from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.equalization import Equalization
from edgevision.exporters.quantization.observations import channel_peaks

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Random = Callable[..., Array]
Run = Callable[[onnx.ModelProto, Array], Array]

SPREAD = np.float32([1, 30, 0.2, 5, 0.05, 1]).reshape(-1, 1, 1, 1)


def chain(
    build: Build, random: Random, *between: onnx.NodeProto, first: str = "Conv", second: str = "Conv", **outputs: None
) -> onnx.ModelProto:
    """Two convolutions with ``between`` from ``a`` to ``b`` in the middle, where channels differ widely in range."""
    w, v = random(6, 4, 3, 3) * SPREAD, random(3, 6, 3, 3, seed=2)
    nodes = [
        make_node(first, ["x", "w", "wb"], ["a"]),
        *between,
        make_node(second, ["b" if between else "a", "v", "vb"], ["y"]),
    ]
    constants = {
        "w": w if first == "Conv" else w.swapaxes(0, 1),
        "wb": random(6, seed=1) * SPREAD.ravel(),
        "v": v if second == "Conv" else v.swapaxes(0, 1),
        "vb": random(3, seed=3),
        "slope": random(6, 1, 1, seed=4),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    return build(nodes, constants, **({"y": None} | outputs))


def relu() -> onnx.NodeProto:
    return make_node("Relu", ["a"], ["b"])


def spread(model: onnx.ModelProto, tensor: str, x: Array) -> float:
    """How much further the widest channel of ``tensor`` reaches than the narrowest."""
    peaks = channel_peaks(to_ir(model), [tensor], [[x]])[tensor]
    return float(peaks.max() / peaks.min())


def equalized_by(model: onnx.ModelProto, batches: Sequence[Sequence[Array]], strength: float = 1.0) -> onnx.ModelProto:
    result = Equalization(batches, strength)(model)
    assert result.modified == (result.model is not model)
    return result.model


def assert_equal(model: onnx.ModelProto, other: onnx.ModelProto, x: Array, run: Run) -> None:
    expected, found = run(model, x), run(other, x)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    "between",
    [
        [],
        [relu()],
        [make_node("LeakyRelu", ["a"], ["b"], alpha=0.2)],
        [make_node("PRelu", ["a", "slope"], ["b"])],
        [make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], pads=[1, 1, 0, 0])],
        [make_node("AveragePool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2])],
        [make_node("Relu", ["a"], ["r"]), make_node("MaxPool", ["r"], ["b"], kernel_shape=[2, 2])],
    ],
    ids=lambda nodes: "-".join(node.op_type for node in nodes),
)
def test_the_model_computes_the_same_and_its_channels_reach_equally_far(
    build: Build, random: Random, run: Run, between: list[onnx.NodeProto]
) -> None:
    model = chain(build, random, *between)
    x = random(2, 4, 9, 9, seed=5)
    before = model.SerializeToString(deterministic=True)
    equalized = equalized_by(model, [[x]])
    assert model.SerializeToString(deterministic=True) == before
    assert_equal(model, equalized, x, run)
    assert_equal(model, equalized, random(1, 4, 12, 10, seed=6), run)
    tensor = "b" if between else "a"
    assert spread(model, tensor, x) > 100
    assert spread(equalized, tensor, x) < 1.01
    assert [(t.name, t.dims, t.data_type) for t in equalized.graph.initializer] == [
        (t.name, t.dims, t.data_type) for t in model.graph.initializer
    ]


@pytest.mark.parametrize(("first", "second"), [("ConvTranspose", "Conv"), ("Conv", "ConvTranspose")])
def test_transposed_convolutions_take_part_on_either_side(
    build: Build, random: Random, run: Run, first: str, second: str
) -> None:
    model = chain(build, random, relu(), first=first, second=second)
    x = random(2, 4, 6, 6, seed=5)
    equalized = equalized_by(model, [[x]])
    assert_equal(model, equalized, x, run)
    assert spread(equalized, "b", x) < 1.01 < 100 < spread(model, "b", x)


def test_half_the_strength_leaves_the_square_root_of_the_spread(build: Build, random: Random, run: Run) -> None:
    model = chain(build, random, relu())
    x = random(2, 4, 6, 6, seed=5)
    half = equalized_by(model, [[x]], strength=0.5)
    assert_equal(model, half, x, run)
    assert spread(half, "b", x) == pytest.approx(spread(model, "b", x) ** 0.5, rel=1e-3)
    none = equalized_by(model, [[x]], strength=0.0)
    assert list(none.graph.initializer) == list(model.graph.initializer)


def test_a_layer_in_the_middle_is_scaled_on_both_sides(build: Build, random: Random, run: Run) -> None:
    nodes = [
        make_node("Conv", ["x", "u"], ["a"]),
        make_node("Relu", ["a"], ["b"]),
        make_node("Conv", ["b", "v", "vb"], ["c"]),
        make_node("Relu", ["c"], ["d"]),
        make_node("Conv", ["d", "w"], ["y"]),
    ]
    constants = {"u": random(6, 4, 1, 1) * SPREAD, "v": random(6, 6, 3, 3) * SPREAD[::-1], "w": random(3, 6, 1, 1)}
    model = build(nodes, constants | {"vb": random(6)})
    x = random(2, 4, 6, 6, seed=5)
    # What later batches hold counts as well.
    equalized = equalized_by(model, [[x[:1] * 0.5], [x]])
    assert_equal(model, equalized, x, run)
    for tensor in ("b", "d"):
        assert spread(equalized, tensor, x) < 1.01 < 10 < spread(model, tensor, x)


def test_channels_that_are_silent_are_not_raised(build: Build, random: Random, run: Run) -> None:
    weight = random(6, 4, 1, 1)
    weight[1] = 0
    weight[4] *= 1e-5
    nodes = [make_node("Conv", ["x", "w"], ["a"]), relu(), make_node("Conv", ["b", "v"], ["y"])]
    model = build(nodes, {"w": weight, "v": random(3, 6, 1, 1)})
    x = random(1, 4, 6, 6)
    equalized = equalized_by(model, [[x]])
    found = {name: constants_of(equalized)[name] for name in ("w", "v")}
    np.testing.assert_array_equal(found["w"][[1, 4]], weight[[1, 4]])
    np.testing.assert_array_equal(found["v"][:, [1, 4]], constants_of(model)["v"][:, [1, 4]])
    assert_equal(model, equalized, x, run)


def test_a_model_that_gives_only_zeros_does_not_fail(build: Build, random: Random) -> None:
    model = chain(build, random, relu())
    for tensor in model.graph.initializer:
        if tensor.name in ("w", "wb"):
            zeros = np.zeros_like(onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))
    equalized = equalized_by(model, [[random(1, 4, 6, 6)]])
    assert list(equalized.graph.initializer) == list(model.graph.initializer)


def branching(build: Build, random: Random, case: str) -> onnx.ModelProto:
    """A chain that must be left alone, for one reason."""
    constants = {"w": random(4, 4, 1, 1) * SPREAD[:4], "v": random(4, 4, 1, 1), "zero": np.float32(0)}
    constants |= {"six": np.float32(6), "yes": np.array(True)}
    conv = make_node("Conv", ["x", "w"], ["a"])
    end = make_node("Conv", ["b", "v"], ["y"])
    inside = make_node("Conv", ["b", "v"], ["c"])
    if case == "several readers":
        return build([conv, relu(), inside, make_node("Add", ["b", "c"], ["y"])], constants)
    if case == "read before the activation":
        return build([conv, relu(), inside, make_node("Add", ["a", "c"], ["y"])], constants)
    if case == "an output of the graph":
        return build([conv, relu(), end], constants, y=None, b=None)
    if case == "taken by a subgraph":
        then, otherwise = (
            make_graph([make_node("Neg", ["b"], [y.name])], y.name, [], [y])
            for y in (make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("then", "else"))
        )
        branch = make_node("If", ["yes"], ["i"], then_branch=then, else_branch=otherwise)
        return build([conv, relu(), inside, branch, make_node("Add", ["c", "i"], ["y"])], constants)
    if case == "weights used twice":
        return build([conv, relu(), make_node("Conv", ["b", "w"], ["y"])], constants)
    if case == "groups":
        conv = make_node("Conv", ["x", "w"], ["a"], group=2)
        return build([conv, relu(), end], constants | {"w": random(4, 2, 1, 1) * SPREAD[:4]})
    if case == "an activation that bends elsewhere":
        return build([conv, make_node("Clip", ["a", "zero", "six"], ["b"]), end], constants)
    if case == "one axis":
        constants |= {"w": random(4, 4, 1), "v": random(4, 4, 1)}
        return build([conv, relu(), end], constants, x=("batch", 4, "length"))
    assert case == "half precision"
    constants |= {name: constants[name].astype(np.float16) for name in ("w", "v")}
    nodes = [
        make_node("Cast", ["x"], ["h"], to=onnx.TensorProto.FLOAT16),
        make_node("Conv", ["h", "w"], ["a"]),
        relu(),
        make_node("Conv", ["b", "v"], ["c"]),
        make_node("Cast", ["c"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    return build(nodes, constants)


@pytest.mark.parametrize(
    "case",
    [
        "several readers",
        "read before the activation",
        "an output of the graph",
        "taken by a subgraph",
        "weights used twice",
        "groups",
        "an activation that bends elsewhere",
        "one axis",
        "half precision",
    ],
)
def test_what_cannot_be_scaled_exactly_is_left_alone(build: Build, random: Random, case: str) -> None:
    model = branching(build, random, case)
    x = random(1, 4, 6) if case == "one axis" else random(1, 4, 6, 6)
    assert equalized_by(model, [[x]]) is model
