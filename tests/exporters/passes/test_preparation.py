"""Rewritings before quantising: each computes the same, is done where it can be, and is kept only where it pays."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

import edgevision.exporters.passes.preparation as preparation
import edgevision.exporters.passes.transposed_convolutions as transposed_convolutions
from edgevision.core.errors import InputError
from edgevision.exporters.passes.graph import Graph
from edgevision.exporters.passes.preparation import (
    FLOAT_PASSES,
    INT8_PASSES,
    Pass,
    clean,
    gate_by_convolution,
    pool_by_operator,
    prelu_by_convolution,
    prepare,
    stride_by_convolution,
    transposed_by_convolution,
)

Array = np.ndarray[Any, Any]
Shape = Sequence[int | str] | None

PICTURE = ("batch", 3, "height", "width")
END = np.iinfo(np.int64).max


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any] | None = None,
    shape: Shape = PICTURE,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """A model from ``x`` to ``outputs``; a node without a name takes that of what it gives."""
    for node in nodes:
        node.name = node.name or f"node_{node.output[0]}"
    graph = make_graph(
        nodes,
        "graph",
        [make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [from_array(np.asarray(values), name) for name, values in (constants or {}).items()],
    )
    return make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)


def run(model: onnx.ModelProto, x: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # What a graph without shapes makes the engine say is not what is looked at here.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, {"x": x})
    return outputs


def operators(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def assert_same(model: onnx.ModelProto, other: onnx.ModelProto | None, *inputs: Array) -> None:
    """Both give the same to 1e-6 of the range, for each of ``inputs``."""
    assert other is not None
    for x in inputs:
        for expected, found in zip(run(model, x), run(other, x), strict=True):
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= 1e-6 * np.ptp(expected)


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
    pooled = pool_by_operator(model)
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
    assert pool_by_operator(model) is None


def test_a_mean_whose_axes_are_computed_is_left_alone() -> None:
    nodes = [make_node("Abs", ["given"], ["axes"]), make_node("ReduceMean", ["x", "axes"], ["y"])]
    assert pool_by_operator(model_of(nodes, {"given": np.array([2, 3])})) is None


# --- the shortcut of He et al. ---

SLICES = {
    "first": np.array([0]),
    "second": np.array([1]),
    "last": np.array([END]),
    "seventh": np.array([7]),
    "rows": np.array([2]),
    "columns": np.array([3]),
    "channels": np.array([1]),
    "by_two": np.array([2]),
    "by_three": np.array([3]),
    "around": np.array([0, 2, 0, 0, 0, 1, 0, 0]),
    "nothing": np.zeros(8, np.int64),
    "at_top": np.array([0, 2, 1, 0, 0, 1, 0, 0]),
    "cropping": np.array([0, 2, 0, 0, 0, -1, 0, 0]),
    "zero": np.float32(0),
    "one_zero": np.zeros(1, np.float32),
    "one": np.float32(1),
    "axes": np.array([0, 1, 2, 3]),
}
ROWS = ("first", "last", "rows", "by_two")
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
    rewritten = stride_by_convolution(model)
    assert rewritten is not None
    assert operators(rewritten) == {"Conv": 1}
    assert Graph(rewritten).constants["node_y_weight"].shape == (3 if pad[0] == "nothing" else 6, 3, 1, 1)
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
    rewritten = stride_by_convolution(model)
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
    assert stride_by_convolution(model) is None


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
    assert stride_by_convolution(model_of(nodes, SLICES)) is None


def test_slicing_of_whole_numbers_is_left_alone() -> None:
    nodes = [
        make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        make_node("Slice", ["whole", *ROWS], ["sliced"]),
        make_node("Pad", ["sliced", "around"], ["padded"]),
        make_node("Cast", ["padded"], ["y"], to=TensorProto.FLOAT),
    ]
    assert stride_by_convolution(model_of(nodes, SLICES)) is None


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
    rewritten = prelu_by_convolution(model)
    assert rewritten is not None
    assert operators(rewritten) == {"Conv": 2, "Relu": 1, "Add": 1}
    assert "slope" not in Graph(rewritten).constants
    assert_same(model, rewritten, random(2, 3, 8, 8), 100 * random(1, 3, 5, 7))


def test_prelus_that_share_a_slope_are_rewritten_each() -> None:
    nodes = [
        make_node("PRelu", ["x", "slope"], ["first"]),
        make_node("Neg", ["first"], ["turned"]),
        make_node("PRelu", ["turned", "slope"], ["y"]),
    ]
    model = model_of(nodes, {"slope": random(3, 1, 1)})
    rewritten = prelu_by_convolution(model)
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
    assert prelu_by_convolution(model_of([make_node("PRelu", ["x", "slope"], ["y"])], {"slope": slope}, shape)) is None


def test_a_prelu_whose_slope_is_computed_is_left_alone() -> None:
    nodes = [make_node("ReduceMax", ["x"], ["slope"], keepdims=1), make_node("PRelu", ["x", "slope"], ["y"])]
    assert prelu_by_convolution(model_of(nodes)) is None


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
    rewritten = gate_by_convolution(model)
    assert rewritten is not None
    assert operators(rewritten) == expected
    # Some beyond both ends of the slope.
    assert_same(model, rewritten, 4 * random(2, 3, 8, 8), 4 * random(1, 3, 5, 7))


@pytest.mark.parametrize("operator", ["HardSigmoid", "HardSwish"])
@pytest.mark.parametrize("shape", [("batch", 3), ("batch", "channels", 8, 8), None])
def test_a_gate_of_anything_but_pictures_is_left_alone(operator: str, shape: Shape) -> None:
    assert gate_by_convolution(model_of([make_node(operator, ["x"], ["y"])], shape=shape)) is None


def test_a_gate_in_half_precision_is_left_alone() -> None:
    nodes = [
        make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        make_node("HardSigmoid", ["half"], ["gate"]),
        make_node("Cast", ["gate"], ["y"], to=TensorProto.FLOAT),
    ]
    assert gate_by_convolution(model_of(nodes)) is None


# --- all of them ---


def everything() -> onnx.ModelProto:
    """A graph with something for every pass."""
    nodes = [
        make_node("PRelu", ["x", "slope"], ["bent"]),
        make_node("HardSwish", ["bent"], ["gated"]),
        make_node("Slice", ["gated", *ROWS], ["sliced"]),
        make_node("Pad", ["sliced", "around"], ["padded"]),
        make_node("ReduceMean", ["padded", "axes"], ["y"], keepdims=0),
    ]
    return model_of(nodes, SLICES | {"slope": random(3, 1, 1), "axes": np.array([2, 3])})


def test_one_after_the_other_they_find_nothing_more_the_second_time() -> None:
    model = rewritten = clean(everything())
    for one in (*FLOAT_PASSES, *INT8_PASSES):
        rewritten = one.apply(rewritten) or pytest.fail(f"{one.name} finds nothing")
        onnx.checker.check_model(rewritten)
    assert set(operators(rewritten)) == {"Conv", "Relu", "Add", "Clip", "Mul", "GlobalAveragePool", "Flatten"}
    assert all(one.apply(rewritten) is None for one in (*FLOAT_PASSES, *INT8_PASSES))
    assert rewritten.graph.input == model.graph.input
    assert [value.name for value in rewritten.graph.output] == ["y"]
    assert_same(model, rewritten, random(2, 3, 8, 8), random(1, 3, 5, 7))


@pytest.mark.parametrize("one", [*FLOAT_PASSES, *INT8_PASSES], ids=lambda one: one.name)
def test_no_pass_changes_the_model_it_is_given(one: Pass) -> None:
    model = clean(everything())
    before = model.SerializeToString(deterministic=True)
    assert one.apply(model) is not None
    assert model.SerializeToString(deterministic=True) == before


# --- clean ---


def old_model(names: Sequence[str]) -> onnx.ModelProto:
    """As exporters wrote in 2019: opset 9, every constant an input as well, attributes for what inputs are today."""
    constants = {
        "weight": random(4, 3, 3, 3),
        "gain": 1 + 0.1 * random(4),
        "shift": random(4, seed=1),
        "mean": random(4, seed=2),
        "variance": 1 + random(4, seed=3) ** 2,
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        make_node("Conv", ["x", "weight"], ["features"], kernel_shape=[3, 3]),
        make_node("BatchNormalization", ["features", "gain", "shift", "mean", "variance"], ["normal"]),
        make_node("Relu", ["normal"], ["above"]),
        make_node("Upsample", ["above", "scales"], ["large"], mode="nearest"),
        make_node("ReduceMean", ["large"], ["pooled"], axes=[2, 3]),
        make_node("Pad", ["pooled"], ["y"], mode="constant", pads=[0, 1, 0, 0, 0, 1, 0, 0], value=0.0),
    ]
    for node, name in zip(nodes, names, strict=True):
        node.name = name
    inputs = [make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, 8, 8))]
    inputs += [make_tensor_value_info(name, TensorProto.FLOAT, values.shape) for name, values in constants.items()]
    outputs = [make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 6, 1, 1))]
    weights = [from_array(values, name) for name, values in constants.items()]
    graph = make_graph(nodes, "graph", inputs, outputs, weights)
    model = make_model(graph, opset_imports=[make_opsetid("", 9)], ir_version=3)
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize(
    "names",
    [("a", "b", "c", "d", "e", "f"), ("", "", "", "", "", ""), ("a", "a", "a", "", "b", "b")],
    ids=["named", "without names", "names given twice"],
)
def test_an_old_model_becomes_a_current_one_that_computes_the_same(names: Sequence[str]) -> None:
    model = old_model(names)
    before = model.SerializeToString(deterministic=True)
    cleaned = clean(model)
    onnx.checker.check_model(cleaned)
    assert [entry.version for entry in cleaned.opset_import] == [18]
    assert operators(cleaned) == {"Conv": 1, "Relu": 1, "Resize": 1, "ReduceMean": 1, "Pad": 1}
    assert Graph(cleaned).inputs == [value.name for value in cleaned.graph.input] == ["x"]
    found = [node.name for node in cleaned.graph.node]
    assert all(found)
    assert len(set(found)) == len(found)
    # ONNX Runtime does not load a model that gives a name twice.
    assert_same(old_model(list("abcdef")), cleaned, random(2, 3, 8, 8))
    assert model.SerializeToString(deterministic=True) == before
    assert pool_by_operator(cleaned) is not None


def normalised(*, layer: onnx.NodeProto, behind: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> onnx.ModelProto:
    """``layer``, which gives ``made``, and BatchNormalization, which gives ``normal``."""
    statistics = {"gain": 1 + 0.1 * random(4), "shift": random(4, seed=1), "mean": random(4, seed=2)}
    statistics |= {"variance": 1 + random(4, seed=3) ** 2, "weight": random(4, 3, 3, 3), "turned": random(3, 4, 3, 3)}
    normalisation = make_node("BatchNormalization", ["made", "gain", "shift", "mean", "variance"], ["normal"])
    nodes = [layer, normalisation, *behind]
    return model_of(nodes, statistics, ("batch", 3, 8, 8), outputs)


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_normalisation_is_folded_into_the_layer_before_it(operator: str) -> None:
    weight = "weight" if operator == "Conv" else "turned"
    layer = make_node(operator, ["x", weight], ["made"])
    model = normalised(layer=layer, behind=[make_node("Relu", ["normal"], ["y"])], outputs=["y"])
    cleaned = clean(model)
    assert operators(cleaned) == {operator: 1, "Relu": 1}
    assert all(not node.metadata_props for node in cleaned.graph.node)
    assert_same(model, cleaned, random(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("behind", "outputs"),
    [([make_node("Add", ["normal", "made"], ["y"])], ["y"]), ([make_node("Relu", ["normal"], ["y"])], ["y", "made"])],
    ids=["read by others", "an output"],
)
def test_normalisation_is_not_folded_where_the_layer_is_wanted_as_it_is(
    behind: Sequence[onnx.NodeProto], outputs: Sequence[str]
) -> None:
    model = normalised(layer=make_node("Conv", ["x", "weight"], ["made"]), behind=behind, outputs=outputs)
    cleaned = clean(model)
    assert operators(cleaned)["BatchNormalization"] == 1
    assert_same(model, cleaned, random(2, 3, 8, 8))


def test_padding_double_activations_and_biases_are_folded() -> None:
    nodes = [
        make_node("Pad", ["x", "pads"], ["padded"]),
        make_node("Conv", ["padded", "weight"], ["made"]),
        make_node("Relu", ["made"], ["above"]),
        make_node("Relu", ["above"], ["still_above"]),
        make_node("Flatten", ["still_above"], ["flat"]),
        make_node("MatMul", ["flat", "dense"], ["sums"]),
        make_node("Add", ["sums", "bias"], ["y"]),
    ]
    constants = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 2]), "weight": random(4, 3, 3, 3)}
    constants |= {"dense": random(4 * 8 * 9, 5), "bias": random(5)}
    model = model_of(nodes, constants, ("batch", 3, 8, 8))
    cleaned = clean(model)
    found = operators(cleaned)
    assert found["Conv"] == found["Relu"] == found["Gemm"] == 1
    assert not {"Pad", "MatMul", "Add"} & set(found)
    assert_same(model, cleaned, random(2, 3, 8, 8))


@pytest.mark.parametrize("bias", [(3, 1, 5), (4, 5), (1, 5), ()], ids=str)
def test_what_is_added_to_a_product_is_folded_only_where_it_is_a_bias(bias: Sequence[int]) -> None:
    nodes = [make_node("MatMul", ["x", "dense"], ["sums"]), make_node("Add", ["sums", "added"], ["y"])]
    model = model_of(nodes, {"dense": random(8, 5), "added": random(*bias)}, ("batch", 8))
    cleaned = clean(model)
    # Gemm would refuse those that make the sum larger than the product.
    assert operators(cleaned) == {"MatMul": 1, "Add": 1}
    assert_same(model, cleaned, random(1, 8))


def test_a_model_of_a_current_opset_keeps_it_and_its_open_sides() -> None:
    model = everything()
    cleaned = clean(model)
    assert cleaned.opset_import == model.opset_import
    assert cleaned.graph.input == model.graph.input
    assert_same(model, cleaned, random(2, 3, 8, 8), random(1, 3, 5, 7))


def test_a_model_that_cannot_be_raised_to_a_current_opset_is_refused() -> None:
    model = old_model(list("abcdef"))
    model.graph.node[2].op_type = "NoSuchOperator"
    with pytest.raises(InputError, match="the model's opset 9 cannot be raised to 18: ") as caught:
        clean(model)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__cause__ is not None


# --- prepare ---


@pytest.fixture
def speedups(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the passes measure, one after the other, whatever the machine does."""
    found: list[float] = []
    monkeypatch.setattr(preparation, "measured_speedup", lambda before, after, feeds: found.pop(0))
    return found


def test_passes_that_are_exact_and_no_slower_are_kept_with_a_note(speedups: list[float]) -> None:
    model = clean(everything())
    speedups += [1.5, 0.99, 2.0]
    prepared, notes = prepare(model, [random(1, 3, 8, 8)], FLOAT_PASSES)
    assert speedups == []
    assert notes == (
        "means over a picture as GlobalAveragePool",
        "strided slices with padding as convolutions",
        "PReLU as depthwise convolution and Relu",
    )
    assert set(operators(prepared)) == {"Conv", "Relu", "Add", "HardSwish", "GlobalAveragePool", "Flatten"}
    assert_same(model, prepared, random(2, 3, 8, 8))


def test_a_pass_that_measures_slower_is_not_kept_and_the_others_are(speedups: list[float]) -> None:
    speedups += [1.1, 0.97, 1.2]
    prepared, notes = prepare(clean(everything()), [random(1, 3, 8, 8)], FLOAT_PASSES)
    assert list(notes) == [FLOAT_PASSES[0].name, FLOAT_PASSES[2].name]
    assert {"Slice", "Pad"} < set(operators(prepared))
    assert not {"ReduceMean", "PRelu"} & set(operators(prepared))


def test_a_pass_that_finds_nothing_is_not_measured(speedups: list[float]) -> None:
    model = model_of([make_node("Relu", ["x"], ["y"])])
    assert prepare(model, [random(1, 3, 8, 8)], FLOAT_PASSES) == (model, ())


def test_a_pass_that_is_not_exact_is_neither_kept_nor_measured(speedups: list[float]) -> None:
    def off(model: onnx.ModelProto, *, by: float) -> onnx.ModelProto:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        weight = changed.graph.initializer[0]
        weight.CopyFrom(from_array(onnx.numpy_helper.to_array(weight) + np.float32(by), weight.name))
        return changed

    model = model_of([make_node("Add", ["x", "one"], ["y"])], {"one": np.float32(1)})
    passes = [Pass("a thousandth off", partial(off, by=1e-3)), Pass("as good as nothing off", partial(off, by=1e-7))]
    speedups += [1.0]
    _, notes = prepare(model, [random(1, 3, 8, 8)], passes)
    assert notes == ("as good as nothing off",)


def test_what_does_not_agree_on_the_examples_is_left_as_it_was(
    speedups: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "agree", lambda before, after, feeds: False)
    model = clean(everything())
    assert prepare(model, [random(1, 3, 8, 8)], FLOAT_PASSES) == (model, ())


def test_as_many_examples_as_inputs_are_asked_for() -> None:
    with pytest.raises(ValueError, match="zip"):
        prepare(everything(), [random(1, 3, 8, 8), random(1, 3, 8, 8)], FLOAT_PASSES)


# --- transposed convolutions ---


@pytest.mark.parametrize(("measured", "least", "rewritten"), [(2.0, 1.05, True), (0.8, 1.05, False), (0.8, 0, True)])
def test_a_transposed_convolution_is_rewritten_where_it_is_as_fast_as_asked(
    monkeypatch: pytest.MonkeyPatch, measured: float, least: float, rewritten: bool
) -> None:
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: measured)
    layer = make_node("ConvTranspose", ["x", "weight"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    model = clean(model_of([layer], {"weight": random(3, 4, 4, 4)}))
    found = transposed_by_convolution([random(1, 3, 8, 8)], least_speedup=least).apply(model)
    if not rewritten:
        assert found is None
        return
    assert found is not None
    assert "ConvTranspose" not in operators(found)
    assert all(node.name for node in found.graph.node)
    assert_same(model, found, random(2, 3, 8, 8))


def test_a_model_without_transposed_convolutions_has_nothing_to_rewrite() -> None:
    model = clean(everything())
    assert transposed_by_convolution([random(1, 3, 8, 8)], least_speedup=0).apply(model) is None
