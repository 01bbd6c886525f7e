"""ConvTranspose becomes a dense layer or ordinary convolutions, exactly, and only where that is faster."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from quantization_reports import faster as faster_by
from torch import nn

import edgevision.exporters.passes.side_by_side as side_by_side
import edgevision.exporters.passes.transposed_convolutions as transposed_convolutions
from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx
from edgevision.exporters.passes.transposed_convolutions import TransposedConvolutions
from edgevision.runtime.benchmark.timing import Speedup

Array = np.ndarray[Any, Any]


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def model_of(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Array],
    sides: tuple[int | str, int | str] = ("height", "width"),
    channels: int = 3,
    opset: int = 20,
) -> onnx.ModelProto:
    graph = make_graph(
        nodes,
        "graph",
        [make_tensor_value_info("x", onnx.TensorProto.FLOAT, ("batch", channels, *sides))],
        [make_tensor_value_info("y", onnx.TensorProto.FLOAT, ("batch", None, None, None))],
        [from_array(np.ascontiguousarray(weight), name) for name, weight in weights.items()],
    )
    model = make_model(graph, opset_imports=[make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def layer(
    *kernel: int,
    bias: bool = True,
    channels: int = 3,
    sides: tuple[int | str, int | str] = ("height", "width"),
    **options: object,
) -> onnx.ModelProto:
    """One ConvTranspose from 3 channels to 5."""
    weights = {"w": random(channels, 5, *kernel)} | ({"b": random(5, seed=1)} if bias else {})
    return model_of([make_node("ConvTranspose", ["x", *weights], ["y"], **options)], weights, sides, channels)


def same_on_both_sides(kernel: int, stride: int, padding: int, added: int) -> onnx.ModelProto:
    return layer(kernel, kernel, strides=[stride] * 2, pads=[padding] * 4, output_padding=[added] * 2)


def run(model: onnx.ModelProto, x: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, {"x": x})[0]
    return output


def operators(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def rewrite(model: onnx.ModelProto, examples: tuple[Array, ...]) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    result = TransposedConvolutions(examples)(model)
    assert result.modified == (result.model is not model) == bool(result.notes)
    return result.model, result.notes


def assert_equal(model: onnx.ModelProto, other: onnx.ModelProto, x: Array) -> None:
    expected, found = run(model, x), run(other, x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form measures as twice as fast, whatever the machine does."""
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: faster_by(2.0))


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "added", "expected"),
    [
        (4, 2, 1, 0, {"Conv": 4, "Concat": 1, "DepthToSpace": 1}),
        (5, 2, 2, 1, {"Conv": 4, "Concat": 1, "DepthToSpace": 1}),
        (3, 2, 1, 1, {"Conv": 4, "Concat": 1, "DepthToSpace": 1}),
        (2, 2, 0, 0, {"Conv": 1, "DepthToSpace": 1}),
        (4, 2, 0, 0, {"Conv": 1, "DepthToSpace": 1}),
        (4, 4, 0, 0, {"Conv": 1, "DepthToSpace": 1}),
        (3, 2, 1, 0, {"Conv": 4, "Concat": 1, "DepthToSpace": 1, "Slice": 1}),
        (9, 3, 4, 2, {"Conv": 9, "Concat": 1, "DepthToSpace": 1}),
        (3, 1, 1, 0, {"Conv": 1}),
        (4, 1, 0, 0, {"Conv": 1}),
    ],
)
def test_it_becomes_convolutions_that_give_the_same_for_any_batch_and_size(
    kernel: int, stride: int, padding: int, added: int, expected: dict[str, int]
) -> None:
    model = same_on_both_sides(kernel, stride, padding, added)
    rewritten, _ = rewrite(model, (random(1, 3, 6, 7),))
    assert operators(rewritten) == expected
    assert rewritten.graph.input == model.graph.input
    assert rewritten.graph.output == model.graph.output
    for shape in ((1, 3, 6, 7), (4, 3, 3, 9), (2, 3, 4, 2)):
        assert_equal(model, rewritten, random(*shape, seed=2))


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_its_geometry_it_gives_the_same(data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, 4), "stride")
    kernel = data.draw(st.tuples(*2 * [st.integers(1, 9)]), "kernel")
    pads = [data.draw(st.integers(0, min(size, 5) - 1), "pad") for size in 2 * kernel]
    added = data.draw(st.tuples(*2 * [st.integers(0, stride - 1)]), "output_padding")
    bias = data.draw(st.booleans(), "bias")
    sides = data.draw(st.sampled_from([("height", "width"), (1, 1)]), "sides")
    shape = (1, 1) if sides == (1, 1) else (7, 6)
    spans = [kernel[a] - pads[a] - pads[2 + a] + added[a] for a in (0, 1)]
    assume(all(stride * (side - 1) + span > 0 for side, span in zip(shape, spans, strict=True)))
    model = layer(*kernel, bias=bias, sides=sides, strides=[stride] * 2, pads=pads, output_padding=added)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: faster_by(2.0))
        # A form that were wrong would not be taken, and nothing would be tested.
        patch.setattr(transposed_convolutions, "agree", lambda before, after, feeds: True)
        rewritten, _ = rewrite(model, (random(1, 3, *shape),))
    assert_equal(model, rewritten, random(3, 3, *(shape if shape == (1, 1) else (9, 8)), seed=2))


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("opset", [17, 20])
def test_of_one_pixel_it_becomes_a_dense_layer_for_any_batch(bias: bool, opset: int) -> None:
    weights = {"w": random(8, 5, 4, 3)} | ({"b": random(5, seed=1)} if bias else {})
    node = make_node("ConvTranspose", ["x", *weights], ["y"], strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0])
    model = model_of([node], weights, (1, 1), channels=8, opset=opset)
    rewritten, notes = rewrite(model, (random(1, 8, 1, 1),))
    assert operators(rewritten) == {"Flatten": 1, "MatMul": 1, "Reshape": 1} | ({"Add": 1} if bias else {})
    for batch in (1, 5):
        assert_equal(model, rewritten, random(batch, 8, 1, 1, seed=2))
    assert notes == (
        "ConvTranspose of 'w' is now a dense layer: 2.00 times as fast",
        "by this the whole model is 2.00 times (1.98 to 2.03) as fast on one thread of this CPU",
    )


@pytest.mark.usefixtures("faster")
def test_an_open_size_is_not_taken_for_one_pixel() -> None:
    model = layer(4, 4)
    rewritten, _ = rewrite(model, (random(1, 3, 1, 1),))
    assert operators(rewritten) == {"Conv": 1}
    assert_equal(model, rewritten, random(2, 3, 5, 4))


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            model_of([make_node("ConvTranspose", ["x", "w"], ["y"], group=3)], {"w": random(3, 2, 3, 3)}), id="groups"
        ),
        pytest.param(layer(3, 3, dilations=[2, 2]), id="dilations"),
        pytest.param(layer(3, 3, strides=[2, 1]), id="unequal strides"),
        pytest.param(layer(3, 3, strides=[2, 2], auto_pad="SAME_UPPER"), id="automatic padding"),
        pytest.param(layer(3, 3, strides=[2, 2], output_shape=[14, 14]), id="a wanted output shape"),
        pytest.param(layer(2, 2, strides=[3, 3]), id="outputs without a tap"),
        pytest.param(layer(4, 4, strides=[2, 2], pads=[3] * 4), id="border inputs left out"),
        pytest.param(model_of([make_node("ConvTranspose", ["x", "x"], ["y"])], {}), id="weights that are no constant"),
        pytest.param(model_of([make_node("Relu", ["x"], ["y"])], {}), id="no ConvTranspose"),
    ],
)
def test_what_it_has_no_form_for_is_left_alone(model: onnx.ModelProto) -> None:
    rewritten, notes = rewrite(model, (random(3, 3, 7, 7),))
    assert rewritten is model
    assert notes == ()


@pytest.mark.usefixtures("faster")
def test_weights_that_are_an_input_with_a_default_are_left_alone() -> None:
    model = layer(3, 3)
    model.graph.input.append(make_tensor_value_info("w", onnx.TensorProto.FLOAT, (3, 5, 3, 3)))
    assert rewrite(model, (random(1, 3, 4, 4),)) == (model, ())


def test_a_layer_that_is_not_faster_by_the_margin_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: faster_by(1.04))
    model = same_on_both_sides(4, 2, 1, 0)
    assert rewrite(model, (random(1, 3, 4, 4),)) == (model, ())


def test_a_model_that_is_not_shown_to_be_faster_as_a_whole_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of both forms of its only layer, and of the whole, whose interval reaches below 1.
    speedups = iter(map(faster_by, [1.5, 1.4, 1.01]))
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: next(speedups))
    model = same_on_both_sides(4, 2, 1, 0)
    rewritten, notes = rewrite(model, (random(1, 3, 4, 4),))
    assert rewritten is model
    assert notes == ()
    assert next(speedups, None) is None


def test_of_several_forms_the_fastest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    speedups = iter(map(faster_by, [1.2, 1.4, 1.3]))
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: next(speedups))
    rewritten, notes = rewrite(layer(4, 4, sides=(1, 1)), (random(1, 3, 1, 1),))
    assert operators(rewritten) == {"Conv": 1}
    assert notes[0] == "ConvTranspose of 'w' is now a convolution: 1.40 times as fast"


@pytest.mark.usefixtures("faster")
def test_a_form_that_is_not_exact_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_TOLERANCE", -1.0)
    model = same_on_both_sides(4, 2, 1, 0)
    assert rewrite(model, (random(1, 3, 4, 4),)) == (model, ())


@pytest.mark.usefixtures("faster")
def test_an_output_that_is_not_finite_is_never_exact() -> None:
    model = same_on_both_sides(4, 2, 1, 0)
    assert rewrite(model, (np.full((1, 3, 4, 4), np.inf, np.float32),)) == (model, ())


def normalised(group: int = 1) -> onnx.ModelProto:
    """ConvTranspose, BatchNormalization, Relu."""
    weights = {"w": random(6, 4 // group, 4, 4)}
    weights |= {"scale": random(4, seed=1), "shift": random(4, seed=2), "mean": random(4, seed=3)}
    weights |= {"variance": np.abs(random(4, seed=4)) + 0.1}
    nodes = [
        make_node("ConvTranspose", ["x", "w"], ["t"], strides=[2, 2], pads=[1] * 4, group=group),
        make_node("BatchNormalization", ["t", "scale", "shift", "mean", "variance"], ["n"], epsilon=1e-3),
        make_node("Relu", ["n"], ["y"]),
    ]
    return model_of(nodes, weights, channels=6)


@pytest.mark.usefixtures("faster")
def test_batch_normalization_is_folded_before_the_rewriting() -> None:
    model = normalised()
    rewritten, notes = rewrite(model, (random(1, 6, 4, 4),))
    assert operators(rewritten) == {"Conv": 4, "Concat": 1, "DepthToSpace": 1, "Relu": 1}
    assert notes[0] == "BatchNormalization is folded into ConvTranspose"
    assert len(notes) == 3
    assert_equal(model, rewritten, random(3, 6, 5, 7, seed=9))
    assert not any(node.metadata_props for node in rewritten.graph.node)


@pytest.mark.parametrize("group", [1, 2])
def test_batch_normalization_is_folded_even_where_no_form_is_faster(
    monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: faster_by(1.04))
    model = normalised(group)
    rewritten, notes = rewrite(model, (random(1, 6, 4, 4),))
    assert operators(rewritten) == {"ConvTranspose": 1, "Relu": 1}
    assert len(rewritten.graph.initializer) == 2
    assert len(notes) == 2
    assert_equal(model, rewritten, random(3, 6, 5, 7, seed=9))


@pytest.mark.usefixtures("faster")
def test_weights_that_nothing_uses_any_more_are_dropped_and_the_given_model_is_not_changed() -> None:
    weights = {"w": random(3, 3, 4, 4), "b": random(3, seed=1), "other": random(3, 3, 4, 4)}
    options = {"strides": [2, 2], "pads": [1] * 4}
    nodes = [
        make_node("ConvTranspose", ["x", "w", "b"], ["first"], **options),
        # Has no other form and shares its weights with the first.
        make_node("ConvTranspose", ["first", "w"], ["second"], dilations=[2, 2]),
        make_node("ConvTranspose", ["second", "other", "b"], ["y"], **options),
    ]
    model = model_of(nodes, weights)
    before = model.SerializeToString()
    rewritten, _ = rewrite(model, (random(1, 3, 4, 4),))
    assert model.SerializeToString() == before
    names = {tensor.name for tensor in rewritten.graph.initializer}
    assert "w" in names
    assert not {"b", "other"} & names
    assert all(node.name == f"node_{node.output[0]}" for node in rewritten.graph.node if node.op_type == "Conv")
    assert_equal(model, rewritten, random(2, 3, 3, 5, seed=2))


def test_a_layer_in_the_middle_is_judged_on_what_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        make_node("ConvTranspose", ["x", "v"], ["t"]),
        make_node("Relu", ["t"], ["r"]),
        make_node("AveragePool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("ConvTranspose", ["p", "w"], ["y"], strides=[2, 2]),
    ]
    model = model_of(nodes, {"v": random(3, 6, 1, 1), "w": random(6, 5, 2, 2)})
    seen: list[tuple[int, ...]] = []

    def record(before: object, after: object, feeds: dict[str, Array]) -> Speedup:
        seen.extend(array.shape for array in feeds.values())
        return faster_by(2.0)

    monkeypatch.setattr(transposed_convolutions, "measured_speedup", record)
    rewrite(model, (random(2, 3, 8, 6),))
    assert seen == [(2, 3, 8, 6), (2, 6, 4, 3), (2, 3, 8, 6)]


def test_the_number_of_examples_must_be_that_of_the_inputs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        rewrite(layer(3, 3), ())


@pytest.mark.usefixtures("faster")
def test_a_generator_of_this_project_computes_what_it_did(sqnr: Callable[[object, object], float]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Unflatten(1, (6, 1, 1)),
        nn.ConvTranspose2d(6, 8, 4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 4, 2, 1),
        nn.Tanh(),
    ).eval()
    latent = torch.randn(1, 6)
    model = convert_to_onnx(network, (latent,), input_names=["latent"], output_names=["image"]).model
    rewritten, notes = rewrite(model, (latent.numpy(),))
    assert {"MatMul", "DepthToSpace"} < operators(rewritten).keys()
    assert "ConvTranspose" not in operators(rewritten)
    assert len(notes) == 3
    several = torch.randn(5, 6)
    session = onnxruntime.InferenceSession(rewritten.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        assert sqnr(network(several), session.run(None, {"latent": several.numpy()})[0]) > 100
