"""Rewritings into convolutions and pooling: each computes the same, and is done where it can be."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto
from onnx.helper import make_node
from small_models import (
    PICTURE,
    ROWS,
    SLICES,
    Array,
    Shape,
    assert_same,
    constants_of,
    everything,
    model_of,
    operators,
    random,
)

from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import (
    FLOAT_PASSES,
    INT8_PASSES,
    gate_by_convolution,
    pool_by_operator,
    prelu_by_convolution,
    stride_by_convolution,
)
from edgevision.exporters.passes.graph_pass import Rewriting


def rewritten_by(rewrite: Callable[[onnx_ir.Model], bool], model: onnx.ModelProto) -> onnx.ModelProto | None:
    """What it becomes; ``None`` where it is left alone."""
    result = Rewriting("a rewriting", rewrite)(model)
    assert result.modified == (result.model is not model) == (result.notes == ("a rewriting",))
    return result.model if result.modified else None


# --- means over a picture ---


def mean(axes: Sequence[int], shape: Shape = PICTURE, **options: int) -> onnx.ModelProto:
    return model_of([make_node("ReduceMean", ["x", "axes"], ["y"], **options)], {"axes": np.array(axes)}, shape)


@pytest.mark.parametrize("axes", [(2, 3), (3, 2), (-2, -1), (2, -1)])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"GlobalAveragePool": 1}),
        ({"keepdims": 1}, {"GlobalAveragePool": 1}),
        ({"keepdims": 0}, {"GlobalAveragePool": 1, "Flatten": 1}),
    ],
)
def test_a_mean_over_height_and_width_becomes_a_pooling(
    axes: Sequence[int], options: dict[str, int], expected: dict[str, int]
) -> None:
    model = mean(axes, **options)
    pooled = rewritten_by(pool_by_operator, model)
    assert pooled is not None
    assert operators(pooled) == expected
    assert_same(model, pooled, random(2, 3, 8, 8), random(1, 3, 5, 7))


@pytest.mark.parametrize(
    "model",
    [
        mean((1,)),
        mean((2,)),
        mean((1, 2, 3)),
        mean((0, 1)),
        mean((1, 2), shape=("batch", 3, 8)),
        mean((2, 3), shape=("batch", 3, 4, 8, 8)),
        mean((2, 3), shape=None),
        model_of([make_node("ReduceMean", ["x"], ["y"])]),
        model_of([make_node("ReduceMax", ["x", "axes"], ["y"])], {"axes": np.array([2, 3])}),
        model_of([make_node("Abs", ["x"], ["y"])]),
        model_of(
            [
                make_node("Cast", ["x"], ["whole"], to=TensorProto.INT32),
                make_node("ReduceMean", ["whole", "axes"], ["means"]),
                make_node("Cast", ["means"], ["y"], to=TensorProto.FLOAT),
            ],
            {"axes": np.array([2, 3])},
        ),
    ],
)
def test_any_other_mean_is_left_alone(model: onnx.ModelProto) -> None:
    assert rewritten_by(pool_by_operator, model) is None


def test_a_mean_whose_axes_are_computed_is_left_alone() -> None:
    nodes = [make_node("Abs", ["given"], ["axes"]), make_node("ReduceMean", ["x", "axes"], ["y"])]
    assert rewritten_by(pool_by_operator, model_of(nodes, {"given": np.array([2, 3])})) is None


# --- the shortcut of He et al. ---

COLUMNS = ("first", "last", "columns", "by_two")


def shortcut(
    *slices: Sequence[str],
    pad: Sequence[str] = ("around",),
    shape: Shape = PICTURE,
    behind: Sequence[onnx.NodeProto] = (),
    outputs: Sequence[str] = ("y",),
    **options: str,
) -> onnx.ModelProto:
    """Each of ``slices`` (start, end, axis, step) on the one before it, and a Pad of (pads, value) on the last."""
    tensors = ["x", *(f"slice_{index}" for index in range(len(slices)))]
    nodes = [
        make_node("Slice", [tensor, *limits], [made])
        for tensor, made, limits in zip(tensors, tensors[1:], slices, strict=False)
    ]
    nodes += [make_node("Pad", [tensors[-1], *pad], ["y"], **options), *behind]
    used = {name for node in nodes for name in node.input}
    return model_of(nodes, {name: values for name, values in SLICES.items() if name in used}, shape, outputs)


@pytest.mark.parametrize(
    ("slices", "strides"),
    [
        ((ROWS, COLUMNS), [2, 2]),
        ((COLUMNS, ROWS), [2, 2]),
        ((COLUMNS,), [1, 2]),
        ((ROWS, ROWS, COLUMNS), [4, 2]),
        ((ROWS, ("first", "last", "columns", "by_three")), [2, 3]),
    ],
)
@pytest.mark.parametrize("pad", [("around",), ("around", "zero"), ("around", "one_zero"), ("around", ""), ("nothing",)])
def test_strided_slices_and_zero_channels_become_one_convolution(
    slices: Sequence[Sequence[str]], strides: list[int], pad: Sequence[str]
) -> None:
    model = shortcut(*slices, pad=pad)
    rewritten = rewritten_by(stride_by_convolution, model)
    assert rewritten is not None
    assert operators(rewritten) == {"Conv": 1}
    assert constants_of(rewritten)["node_y_weight"].shape == (3 if pad[0] == "nothing" else 6, 3, 1, 1)
    assert [list(a.ints) for a in rewritten.graph.node[0].attribute if a.name == "strides"] == [strides]
    # The slices' limits are of no use any more.
    assert len(rewritten.graph.initializer) == 1
    assert_same(model, rewritten, random(2, 3, 8, 8), random(1, 3, 7, 5))


def test_only_the_slices_right_before_the_padding_are_taken_in() -> None:
    nodes = [
        make_node("Relu", ["x"], ["above"]),
        make_node("Slice", ["above", "first", "last", "channels", "by_two"], ["thinned"]),
        make_node("Slice", ["thinned", *ROWS], ["rows_only"]),
        make_node("Pad", ["rows_only", "around"], ["wide"]),
        make_node("Neg", ["wide"], ["y"]),
    ]
    model = model_of(nodes, SLICES)
    rewritten = rewritten_by(stride_by_convolution, model)
    assert rewritten is not None
    assert [node.op_type for node in rewritten.graph.node] == ["Relu", "Slice", "Conv", "Neg"]
    assert_same(model, rewritten, random(2, 3, 8, 8))


@pytest.mark.parametrize(
    "model",
    [
        shortcut(),
        shortcut(ROWS, COLUMNS, pad=("at_top",)),
        shortcut(ROWS, COLUMNS, pad=("cropping",)),
        shortcut(ROWS, COLUMNS, pad=("around", "one")),
        shortcut(ROWS, COLUMNS, pad=("around", "zero", "axes")),
        shortcut(ROWS, COLUMNS, mode="edge"),
        shortcut(("second", "last", "rows", "by_two")),
        shortcut(("first", "seventh", "rows", "by_two")),
        shortcut(("first", "last", "channels", "by_two")),
        shortcut(("first", "last", "rows")),
        shortcut(ROWS, COLUMNS, shape=None),
        shortcut(ROWS, COLUMNS, shape=("batch", "channels", 8, 8)),
        # What is sliced is wanted elsewhere too.
        shortcut(ROWS, COLUMNS, outputs=("y", "slice_1")),
        shortcut(ROWS, COLUMNS, behind=[make_node("Neg", ["slice_0"], ["z"])], outputs=("y", "z")),
    ],
)
def test_any_other_slicing_or_padding_is_left_alone(model: onnx.ModelProto) -> None:
    assert rewritten_by(stride_by_convolution, model) is None


@pytest.mark.parametrize("computed", ["pads", "value", "step"])
def test_slicing_or_padding_by_what_is_computed_is_left_alone(computed: str) -> None:
    nodes = [
        make_node("ReduceMax", ["x"], ["value"], keepdims=0),
        make_node("Abs", ["around"], ["pads"]),
        make_node("Abs", ["by_two"], ["step"]),
        make_node("Slice", ["x", *ROWS[:3], "step" if computed == "step" else "by_two"], ["sliced"]),
        make_node(
            "Pad",
            ["sliced", "pads" if computed == "pads" else "around", "value" if computed == "value" else ""],
            ["y"],
        ),
    ]
    assert rewritten_by(stride_by_convolution, model_of(nodes, SLICES)) is None


def test_slicing_of_whole_numbers_is_left_alone() -> None:
    nodes = [
        make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        make_node("Slice", ["whole", *ROWS], ["sliced"]),
        make_node("Pad", ["sliced", "around"], ["padded"]),
        make_node("Cast", ["padded"], ["y"], to=TensorProto.FLOAT),
    ]
    assert rewritten_by(stride_by_convolution, model_of(nodes, SLICES)) is None


# --- PReLU ---


@pytest.mark.parametrize(
    "slope",
    [
        np.array([0.25, 0.1, 0.0], np.float32).reshape(3, 1, 1),
        np.array([1.5, 1.0, 3.0], np.float32).reshape(3, 1, 1),
        np.array([-0.5, -2.0, 0.7], np.float32).reshape(1, 3, 1, 1),
        np.array([0.25], np.float32),
        np.full((1, 1, 1), -0.25, np.float32),
        np.float32(1.25),
    ],
    ids=["below one", "one and above", "negative", "shared", "shared in three axes", "shared, a scalar"],
)
def test_prelu_becomes_convolutions_for_any_slope(slope: Array) -> None:
    model = model_of([make_node("PRelu", ["x", "slope"], ["y"])], {"slope": slope})
    rewritten = rewritten_by(prelu_by_convolution, model)
    assert rewritten is not None
    assert operators(rewritten) == {"Conv": 2, "Relu": 1, "Add": 1}
    assert "slope" not in constants_of(rewritten)
    assert_same(model, rewritten, random(2, 3, 8, 8), 100 * random(1, 3, 5, 7))


def test_prelus_that_share_a_slope_are_rewritten_each() -> None:
    nodes = [
        make_node("PRelu", ["x", "slope"], ["first"]),
        make_node("Neg", ["first"], ["turned"]),
        make_node("PRelu", ["turned", "slope"], ["y"]),
    ]
    model = model_of(nodes, {"slope": random(3, 1, 1)})
    rewritten = rewritten_by(prelu_by_convolution, model)
    assert rewritten is not None
    assert operators(rewritten) == {"Conv": 4, "Relu": 2, "Add": 2, "Neg": 1}
    assert len({node.name for node in rewritten.graph.node}) == len(rewritten.graph.node)
    assert_same(model, rewritten, random(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("slope", "shape"),
    [
        (random(8), ("batch", 3, 8, 8)),
        (random(8, 8), ("batch", 3, 8, 8)),
        (random(3, 8, 8), ("batch", 3, 8, 8)),
        (random(1), ("batch", 3)),
        (random(1), ("batch", "channels", 8, 8)),
        (random(1), None),
    ],
    ids=["by column", "by pixel", "by value", "of vectors", "of open channels", "of no shape"],
)
def test_any_other_prelu_is_left_alone(slope: Array, shape: Shape) -> None:
    assert (
        rewritten_by(
            prelu_by_convolution, model_of([make_node("PRelu", ["x", "slope"], ["y"])], {"slope": slope}, shape)
        )
        is None
    )


def test_a_prelu_whose_slope_is_computed_is_left_alone() -> None:
    nodes = [make_node("ReduceMax", ["x"], ["slope"], keepdims=1), make_node("PRelu", ["x", "slope"], ["y"])]
    assert rewritten_by(prelu_by_convolution, model_of(nodes)) is None


# --- gates ---


@pytest.mark.parametrize(
    ("operator", "options", "expected"),
    [
        ("HardSigmoid", {}, {"Conv": 1, "Clip": 1}),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, {"Conv": 1, "Clip": 1}),
        ("HardSigmoid", {"alpha": -0.7, "beta": 0.1}, {"Conv": 1, "Clip": 1}),
        ("HardSwish", {}, {"Conv": 1, "Clip": 1, "Mul": 1}),
    ],
)
def test_a_gate_becomes_a_clipped_convolution(
    operator: str, options: dict[str, float], expected: dict[str, int]
) -> None:
    model = model_of([make_node(operator, ["x"], ["y"], **options)])
    rewritten = rewritten_by(gate_by_convolution, model)
    assert rewritten is not None
    assert operators(rewritten) == expected
    # Some beyond both ends of the slope.
    assert_same(model, rewritten, 4 * random(2, 3, 8, 8), 4 * random(1, 3, 5, 7))


@pytest.mark.parametrize("operator", ["HardSigmoid", "HardSwish"])
@pytest.mark.parametrize("shape", [("batch", 3), ("batch", "channels", 8, 8), None])
def test_a_gate_of_anything_but_pictures_is_left_alone(operator: str, shape: Shape) -> None:
    assert rewritten_by(gate_by_convolution, model_of([make_node(operator, ["x"], ["y"])], shape=shape)) is None


def test_a_gate_in_half_precision_is_left_alone() -> None:
    nodes = [
        make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        make_node("HardSigmoid", ["half"], ["gate"]),
        make_node("Cast", ["gate"], ["y"], to=TensorProto.FLOAT),
    ]
    assert rewritten_by(gate_by_convolution, model_of(nodes)) is None


# --- all of them ---


def test_one_after_the_other_they_find_nothing_more_the_second_time() -> None:
    model = rewritten = canonical(everything())
    for one in (*FLOAT_PASSES, *INT8_PASSES):
        result = one(rewritten)
        assert result.modified, one.name
        rewritten = result.model
        onnx.checker.check_model(rewritten)
    expected = {"Conv", "Relu", "Add", "Clip", "Mul", "GlobalAveragePool", "Flatten", "DepthToSpace", "Shape", "Slice"}
    assert set(operators(rewritten)) == expected
    assert not any(one(rewritten).modified for one in (*FLOAT_PASSES, *INT8_PASSES))
    assert rewritten.graph.input == model.graph.input
    assert [value.name for value in rewritten.graph.output] == ["y"]
    assert_same(model, rewritten, random(2, 3, 8, 8), random(1, 3, 5, 7))


@pytest.mark.parametrize("one", [*FLOAT_PASSES, *INT8_PASSES], ids=lambda one: one.name)
def test_no_pass_changes_the_model_it_is_given(one: Rewriting) -> None:
    model = canonical(everything())
    before = model.SerializeToString(deterministic=True)
    assert one(model).modified
    assert model.SerializeToString(deterministic=True) == before
