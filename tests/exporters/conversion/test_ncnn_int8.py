"""int8 layers of NCNN compute what whole numbers say, and only those that were asked for."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from small_models import Array, model_of, random, run

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.ncnn_int8 import take_int8
from edgevision.exporters.model_writing import ModelOpener, write_model
from edgevision.exporters.quantization.engine_settings import NCNN
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.modelfiles.ncnn_file import read_layers
from edgevision.runtime.devices.opening import open_engine

with_ncnn = pytest.mark.skipif(not find_spec("ncnn") or not find_spec("pnnx"), reason="NCNN or PNNX is not installed")

STEP = 0.02
"""Of what the first layer takes."""


class Int8Graph:
    """A graph that grows by int8 layers, each between pairs of its own as the target of NCNN has them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def add(self, operator: str, inputs: Sequence[str], output: str, **options: Any) -> None:
        self.nodes.append(make_node(operator, inputs, [output], **options))

    def constant(self, name: str, values: Any) -> str:
        self.constants[name] = np.asarray(values)
        return name

    def pair(self, x: str, output: str, step: float, zero: int = 0) -> str:
        limits = [self.constant(f"{output}_step", np.float32(step)), self.constant(f"{output}_zero", np.int8(zero))]
        self.add("QuantizeLinear", [x, *limits], f"{output}_integers")
        self.add("DequantizeLinear", [f"{output}_integers", *limits], output)
        return output

    def layer(
        self, x: str, output: str, shape: tuple[int, ...], step: float = STEP, *, operator: str = "Conv", **options: Any
    ) -> None:
        """A layer with random weights of that shape, whose integers are ``{output}_weights``."""
        generator = np.random.default_rng(len(self.nodes))
        axis = 1 if operator == "Gemm" and not options.get("transB") else 0
        weights = self.constant(f"{output}_weights", generator.integers(-127, 128, shape).astype(np.int8))
        scales = self.constant(f"{output}_scales", generator.uniform(0.001, 0.01, shape[axis]).astype(np.float32))
        zeros = self.constant(f"{output}_zeros", np.zeros(shape[axis], np.int8))
        bias = self.constant(f"{output}_bias", generator.standard_normal(shape[axis], np.float32))
        self.add("DequantizeLinear", [weights, scales, zeros], f"{output}_values", axis=axis)
        self.add(operator, [self.pair(x, f"{output}_taken", step), f"{output}_values", bias], output, **options)

    def model(self, *shape: int) -> onnx.ModelProto:
        return model_of(self.nodes, self.constants, shape)

    def computed(self, x: Array, output: str, step: float = STEP, **options: Any) -> Array:
        """What a convolution gives for ``x`` (channels, height, width), by whole numbers until they have been added."""
        weights, scales, bias = (self.constants[f"{output}_{part}"] for part in ("weights", "scales", "bias"))
        away_from_zero = np.sign(x) * np.floor(np.abs(x / np.float32(step)) + 0.5)
        integers = away_from_zero.clip(-127, 127).astype(np.int64)
        sums = convolved(integers, weights.astype(np.int64), **options)
        return np.asarray(sums * (step * scales[:, None, None].astype(np.float64)) + bias[:, None, None], np.float32)


def convolved(x: Array, weights: Array, pads: int = 0, strides: int = 1, group: int = 1) -> Array:
    """Sums of products of whole numbers, int64 (outputs, height, width)."""
    x = np.pad(x, ((0, 0), (pads, pads), (pads, pads)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weights.shape[2:], (1, 2))[:, ::strides, ::strides]
    found = []
    for number, kernel in enumerate(weights):
        first = number // (len(weights) // group) * len(kernel)
        found.append(np.einsum("chwij,cij->hw", windows[first : first + len(kernel)], kernel))
    return np.stack(found)


def described(model: onnx.ModelProto) -> ModelMetadata:
    shape = tuple(side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim)
    outputs = run(model, np.zeros(shape, np.float32))
    return ModelMetadata(
        task="other",
        name="net",
        inputs=(TensorSpec(name="x", shape=shape),),
        outputs=tuple(
            TensorSpec(name=value.name, shape=found.shape)
            for value, found in zip(model.graph.output, outputs, strict=True)
        ),
    )


def written(model: onnx.ModelProto, path: Path) -> None:
    write_model(model, path, ModelFormat.NCNN, described(model))


def answer(path: Path, x: Array) -> Array:
    with open_engine(path, threads=1) as engine:
        return np.asarray(engine.run({"x": x})[0])


def terms(path: Path) -> list[str]:
    """What the layers with weights say of int8, in the order of the file."""
    kinds = ("Convolution", "ConvolutionDepthWise", "InnerProduct")
    return [layer.parameters.get(8, "0") for layer in read_layers(path) if layer.type in kinds]


CONVOLUTIONS = {
    "three channels": ((16, 3, 3, 3), {"pads": 1}),
    "as Winograd may compute it": ((64, 64, 3, 3), {"pads": 1}),
    "1x1": ((24, 16, 1, 1), {}),
    "odd channels and a stride": ((7, 5, 5, 5), {"pads": 2, "strides": 2}),
    "depthwise": ((12, 1, 3, 3), {"pads": 1, "group": 12}),
}


@with_ncnn
@pytest.mark.parametrize(("shape", "options"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_is_that_of_whole_numbers(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, int]
) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    attributes = {"pads": [options.get("pads", 0)] * 4, "strides": [options.get("strides", 1)] * 2}
    graph.layer("x", "y", shape, **attributes, group=options.get("group", 1))
    channels = shape[1] * options.get("group", 1)
    written(graph.model(1, channels, 20, 24), path)
    assert terms(path) == ["1"]
    x = random(1, channels, 20, 24)
    expected, found = graph.computed(x[0], "y", **options), answer(path, x)[0]
    # A step of the sums; where they are taken times the scales float32 rounds.
    steps = (found - expected) / (STEP * graph.constants["y_scales"][:, None, None])
    assert np.abs(steps).max() < 0.25


@with_ncnn
def test_depthwise_kernels_of_x86_that_take_eight_channels_are_nearly_exact(tmp_path: Path) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    graph.layer("x", "y", (16, 1, 3, 3), group=16, pads=[1] * 4)
    written(graph.model(1, 16, 20, 24), path)
    x = random(1, 16, 20, 24)
    # Their reciprocals of scales have 12 bits.
    assert sqnr_db(graph.computed(x[0], "y", pads=1, group=16), answer(path, x)[0]) > 65


@with_ncnn
@pytest.mark.parametrize("transposed", [0, 1])
def test_a_dense_layer_is_that_of_whole_numbers(tmp_path: Path, transposed: int) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    graph.layer("x", "y", (6, 20) if transposed else (20, 6), operator="Gemm", transB=transposed)
    model = graph.model(1, 20)
    written(model, path)
    assert terms(path) == ["1"]
    x = random(1, 20)
    weights = graph.constants["y_weights"]
    graph.constants["y_weights"] = (weights if transposed else weights.T)[:, :, None, None]
    steps = (answer(path, x)[0] - graph.computed(x[0, :, None, None], "y")[:, 0, 0]) / graph.constants["y_scales"]
    assert np.abs(steps).max() < 0.01 * STEP


@with_ncnn
def test_what_int8_layers_alone_read_stays_in_it_and_what_others_read_is_not_rounded(tmp_path: Path) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    graph.layer("x", "a", (8, 4, 3, 3), pads=[1] * 4)
    graph.add("Relu", ["a"], "b")
    graph.layer("b", "c", (8, 8, 3, 3), 0.05, pads=[1] * 4)
    graph.layer("b", "d", (8, 8, 1, 1), 0.05)
    graph.add("Add", ["c", "d"], "e")
    graph.layer("e", "f", (8, 1, 3, 3), 0.1, pads=[1] * 4, group=8)
    graph.add("Add", ["f", "e"], "y")
    model = graph.model(1, 4, 12, 12)
    written(model, path)
    assert terms(path) == ["101", "1", "1", "1"]
    x = random(1, 4, 12, 12)
    b = np.maximum(graph.computed(x[0], "a", pads=1), 0)
    e = graph.computed(b, "c", 0.05, pads=1) + graph.computed(b, "d", 0.05)
    expected = graph.computed(e, "f", 0.1, pads=1, group=8) + e
    assert sqnr_db(expected, answer(path, x)[0]) > 60
    # ONNX Runtime reads the same graph so.
    assert sqnr_db(run(model, x)[0], answer(path, x)) > 40


@with_ncnn
def test_float_layers_of_all_kinds_may_stand_between(tmp_path: Path) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    weights = {
        "w": random(8, 4, 3, 3),
        "wb": random(8),
        "slope": random(8, 1, 1) / 9,
        "gain": 1 + random(8) / 9,
        "shift": random(8),
        "up": random(8, 6, 2, 2) / 5,
        "mixed": random(6, 1, 3, 3),
    }
    graph.add("Conv", ["x", graph.constant("w", weights["w"]), graph.constant("wb", weights["wb"])], "a", pads=[1] * 4)
    graph.add("PRelu", ["a", graph.constant("slope", weights["slope"])], "b")
    limits = [graph.constant(name, weights[name]) for name in ("gain", "shift")]
    graph.add("InstanceNormalization", ["b", *limits], "c")
    graph.add("ConvTranspose", ["c", graph.constant("up", weights["up"])], "d", strides=[2, 2])
    graph.add("Conv", ["d", graph.constant("mixed", weights["mixed"])], "e", pads=[1] * 4, group=6)
    graph.layer("e", "f", (8, 6, 3, 3), 0.05, pads=[1] * 4)
    # The same shape in float.
    graph.add("Conv", ["e", graph.constant("v", random(8, 6, 3, 3, seed=1))], "g", pads=[1] * 4)
    graph.add("Add", ["f", "g"], "y")
    model = graph.model(1, 4, 8, 8)
    written(model, path)
    assert sorted(terms(path)) == ["0", "0", "0", "1"]
    x = random(1, 4, 8, 8)
    assert sqnr_db(run(model, x)[0], answer(path, x)) > 45


@with_ncnn
def test_layers_with_the_same_weights_have_their_own_scales(tmp_path: Path) -> None:
    graph, path = Int8Graph(), tmp_path / "net.param"
    graph.layer("x", "a", (4, 4, 1, 1), 0.02)
    graph.layer("a", "y", (4, 4, 1, 1), 0.3)
    for part in ("weights", "scales"):
        graph.constants[f"y_{part}"] = graph.constants[f"a_{part}"]
    written(graph.model(1, 4, 6, 6), path)
    x = random(1, 4, 6, 6)
    expected = graph.computed(graph.computed(x[0], "a"), "y", 0.3)
    assert sqnr_db(expected, answer(path, x)[0]) > 60


@with_ncnn
def test_the_model_as_it_was_given_runs_in_ncnn_too() -> None:
    model = model_of([make_node("Conv", ["x", "w"], ["y"])], {"w": random(2, 3, 3, 3)}, (1, 3, 8, 8))
    x = random(1, 3, 8, 8)
    with ModelOpener(ModelFormat.NCNN, described(model), threads=1) as opener, opener.untouched(model, NCNN) as engine:
        assert sqnr_db(run(model, x)[0], engine.run({"x": x})[0]) > 90


def test_a_float_model_is_left_as_it_is() -> None:
    model = model_of([make_node("Conv", ["x", "w"], ["y"])], {"w": random(2, 3, 3, 3)}, (1, 3, 8, 8))
    assert take_int8(model) == (model, [])


@pytest.mark.parametrize("kind", ["an Add", "a zero point"])
def test_what_has_no_int8_in_ncnn_is_named(kind: str) -> None:
    graph = Int8Graph()
    if kind == "an Add":
        graph.add("Add", [graph.pair("x", "a", 0.1), "x"], "y")
    else:
        graph.layer("x", "y", (2, 3, 3, 3))
        graph.constants["y_taken_zero"] = np.int8(3)
    with pytest.raises(InputError, match=r"'node_\w+' is none of these; keep it float"):
        take_int8(graph.model(1, 3, 8, 8))
