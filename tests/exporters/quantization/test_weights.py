"""Weights rounded to int8: within what kernels add up, and so that what the layer gives changes least."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.helper import make_node

import edgevision.exporters.quantization.weights as weights_module
from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.observations import LayerInputs
from edgevision.exporters.quantization.qdq import QuantizedWeights
from edgevision.exporters.quantization.units import channel_axis
from edgevision.exporters.quantization.weights import quantize_weights
from edgevision.metrics.figures import sqnr_db

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Random = Callable[..., Array]
Sqnr = Callable[[object, object], float]

LAYERS = [
    ("Conv", (6, 4, 3, 3), {}),
    ("Conv", (6, 4, 1, 1), {}),
    ("Conv", (6, 2, 3, 3), {"group": 2}),
    ("Conv", (6, 1, 3, 3), {"group": 6}),
    ("ConvTranspose", (4, 6, 2, 2), {}),
    ("Gemm", (36, 6), {}),
    ("Gemm", (6, 36), {"transB": 1}),
    ("MatMul", (36, 6), {}),
]


class Layer:
    """One layer with these weights, as a graph."""

    def __init__(self, build: Build, operator: str, weight: Array, bias: Array | None = None, **options: int) -> None:
        constants = {"w": weight} | ({} if bias is None else {"b": bias})
        axis = channel_axis(onnx_ir.node(operator, [], options))
        inputs = weight.shape[1 - axis] * options.get("group", 1)
        x = ("batch", inputs, "height", "width") if weight.ndim == 4 else ("batch", inputs)
        (self.node,) = to_ir(build([make_node(operator, ["x", *constants], ["y"], **options)], constants, x=x)).graph
        self.axis, self.groups = axis, options.get("group", 1)
        self.rows = self.in_rows(weight)
        self.bias = np.zeros(weight.shape[axis]) if bias is None else np.broadcast_to(bias.ravel(), weight.shape[axis])

    def in_rows(self, weight: Array) -> Array:
        """float64 (groups, outputs, k): the weights that are summed up to one output side by side."""
        turned = np.moveaxis(weight.astype(np.float64), self.axis, 0)
        return turned.reshape(self.groups, weight.shape[self.axis] // self.groups, -1)

    def quantized(self, seen: LayerInputs | None = None, *, pair_limit: int | None = None, **options: Any) -> Any:
        return quantize_weights(self.node, seen, pair_limit=pair_limit, **options)

    def given(self, rows: Array, found: QuantizedWeights | None = None) -> Array:
        """What the layer gives for inputs (groups, n, k): with its own weights, or with those that were found."""
        if found is None:
            return np.einsum("gok,gnk->ngo", self.rows, rows).reshape(rows.shape[1], -1) + self.bias
        scales = np.broadcast_to(found.scales, len(self.bias)).reshape(self.groups, -1, 1)
        sums = np.einsum("gok,gnk->ngo", self.in_rows(found.values) * scales, rows).reshape(rows.shape[1], -1)
        return sums + (0 if found.bias is None else found.bias)


def moments_of(rows: Array) -> LayerInputs:
    """Of inputs (groups, n, k)."""
    mean = rows.mean(1)
    centered = rows - mean[:, None]
    return LayerInputs(mean, np.einsum("gnk,gnl->gkl", centered, centered) / rows.shape[1])


def correlated(groups: int, k: int, *, mean: float = 0.0, seed: int = 1) -> Array:
    """Inputs (groups, n, k) that mostly go together, as neighbouring pixels do."""
    generator = np.random.default_rng(seed)
    causes = generator.standard_normal((groups, 800, max(1, k // 6)))
    mixing = generator.standard_normal((groups, max(1, k // 6), k))
    return causes @ mixing + 0.1 * generator.standard_normal((groups, 800, k)) + mean


@pytest.mark.parametrize(("operator", "shape", "options"), LAYERS)
def test_each_output_has_a_scale_and_uses_all_of_int8(
    build: Build, random: Random, operator: str, shape: tuple[int, ...], options: dict[str, int], sqnr: Sqnr
) -> None:
    layer = Layer(build, operator, random(*shape) * 5, **options)
    found = layer.quantized()
    assert (found.values.dtype, found.values.shape) == (np.int8, shape)
    assert (found.scales.dtype, found.scales.shape) == (np.float32, (6,))
    assert found.bias is None
    rounded = layer.in_rows(found.values)
    assert (np.abs(rounded).max(axis=2) == 127).all()
    assert sqnr(layer.rows, rounded * found.scales.reshape(layer.groups, -1, 1)) > 40


@pytest.mark.parametrize(("operator", "shape", "options"), LAYERS)
@pytest.mark.parametrize("pair_limit", [None, 128])
def test_rounding_in_turn_disturbs_the_output_less_than_rounding_to_the_nearest(
    build: Build,
    random: Random,
    operator: str,
    shape: tuple[int, ...],
    options: dict[str, int],
    pair_limit: int | None,
    sqnr: Sqnr,
) -> None:
    layer = Layer(build, operator, random(*shape), **options)
    rows = correlated(*layer.rows.shape[::2])
    in_turn, nearest = (
        sqnr(layer.given(rows), layer.given(rows, layer.quantized(seen, pair_limit=pair_limit)))
        for seen in (moments_of(rows), None)
    )
    # The less goes together, the less there is to gain.
    assert in_turn > nearest + (1 if layer.rows.shape[2] < 10 else 4)


def test_inputs_that_have_nothing_to_do_with_each_other_gain_nothing_and_lose_nothing(
    build: Build, random: Random, sqnr: Sqnr
) -> None:
    layer = Layer(build, "Gemm", random(6, 36), transB=1)
    rows = random(1, 4000, 36, seed=1).astype(np.float64)
    in_turn, nearest = (
        sqnr(layer.given(rows), layer.given(rows, layer.quantized(seen))) for seen in (moments_of(rows), None)
    )
    assert abs(in_turn - nearest) < 1


@pytest.mark.parametrize(("operator", "shape", "options"), LAYERS[:-1])
@pytest.mark.parametrize("biased", [True, False])
def test_the_bias_takes_up_what_rounding_shifts_on_average(
    build: Build, random: Random, operator: str, shape: tuple[int, ...], options: dict[str, int], biased: bool
) -> None:
    layer = Layer(build, operator, random(*shape), random(6, seed=3) if biased else None, **options)
    rows = correlated(*layer.rows.shape[::2], mean=10)
    found = layer.quantized(moments_of(rows), pair_limit=128)
    assert found.bias is not None
    assert found.bias.dtype == np.float32
    assert found.bias.shape == (6,)
    shift = np.abs(layer.given(rows, found) - layer.given(rows))
    mean, shifted = layer.given(rows).mean(0), layer.given(rows, found).mean(0)
    np.testing.assert_allclose(shifted, mean, atol=1e-5 * np.abs(mean).max())
    assert shift.max() > 100 * np.abs(shifted - mean).max()


@pytest.mark.parametrize("shape", [(), (1,), (6,), (1, 6)])
def test_whatever_the_shape_of_a_gemms_bias_it_becomes_one_value_for_each_output(
    build: Build, random: Random, shape: tuple[int, ...]
) -> None:
    layer = Layer(build, "Gemm", random(36, 6), random(*shape))
    np.testing.assert_array_equal(layer.quantized().bias, layer.bias)


def test_a_matrix_product_has_no_bias_and_keeps_the_mean_by_its_weights(
    build: Build, random: Random, sqnr: Sqnr
) -> None:
    layer = Layer(build, "MatMul", random(36, 6))
    rows = correlated(1, 36, mean=10)
    found = layer.quantized(moments_of(rows))
    assert found.bias is None
    without_mean = LayerInputs(np.zeros((1, 36)), moments_of(rows).covariance)
    assert sqnr(layer.given(rows), layer.given(rows, found)) > 6 + sqnr(
        layer.given(rows), layer.given(rows, layer.quantized(without_mean))
    )


def test_without_anything_seen_the_bias_stays_as_it_is(build: Build, random: Random) -> None:
    bias = random(6)
    np.testing.assert_array_equal(Layer(build, "Conv", random(6, 4, 3, 3), bias).quantized().bias, bias)
    assert Layer(build, "Conv", random(6, 4, 3, 3)).quantized().bias is None


@pytest.mark.parametrize(("operator", "shape", "options"), LAYERS)
def test_one_scale_for_all_is_that_of_the_widest_output(
    build: Build, random: Random, operator: str, shape: tuple[int, ...], options: dict[str, int], sqnr: Sqnr
) -> None:
    layer = Layer(build, operator, random(*shape), **options)
    rows = correlated(*layer.rows.shape[::2], mean=1)
    for seen in (None, moments_of(rows)):
        every, one = (layer.quantized(seen, pair_limit=128, per_channel=each) for each in (True, False))
        assert one.scales.shape == ()
        assert one.scales == every.scales.max()
        assert one.values.shape == shape
        assert sqnr(layer.given(rows), layer.given(rows, one)) > 25


@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_no_pair_of_neighbouring_input_channels_adds_up_to_more_than_the_kernel_holds(
    data: st.DataObject, build: Build
) -> None:
    operator = data.draw(st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]), "operator")
    channels, taps = data.draw(st.integers(1, 6), "channels"), data.draw(st.sampled_from([1, 2]), "taps")
    transposed = data.draw(st.booleans(), "transB")
    outputs = 4
    options = {}
    if operator == "Conv":
        shape: tuple[int, ...] = (outputs, channels, taps, 2)
        options["group"] = data.draw(st.sampled_from([1, 2]), "group")
    elif operator == "ConvTranspose":
        shape = (channels, outputs, taps, 2)
    elif operator == "Gemm" and transposed:
        shape, options = (outputs, channels), {"transB": 1}
    else:
        shape = (channels, outputs)
    generator = np.random.default_rng(data.draw(st.integers(0, 1000), "seed"))
    # Mostly of one sign and size, so that neighbours do not fit together.
    center = data.draw(st.sampled_from([-1, 0, 1, 3]), "center")
    weight = (generator.standard_normal(shape) + center).astype(np.float32)
    layer = Layer(build, operator, weight, **options)
    seen = moments_of(correlated(*layer.rows.shape[::2], mean=1)) if data.draw(st.booleans(), "seen") else None
    per_channel = data.draw(st.booleans(), "per_channel")
    values = layer.quantized(seen, pair_limit=128, per_channel=per_channel).values
    by_channel = np.moveaxis(values.astype(int), 1 - layer.axis, 0)
    if channels % 2:
        assert np.abs(by_channel).max() <= 64
    else:
        assert np.abs(by_channel[::2] + by_channel[1::2]).max() <= 128
        assert np.abs(by_channel).max() <= 127


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_that_all_pull_one_way_reach_the_bound_on_pairs_and_do_not_cross_it(
    build: Build, random: Random, sign: int
) -> None:
    layer = Layer(build, "Conv", sign * (1 + 0.05 * random(6, 4, 3, 3)))
    values = layer.quantized(moments_of(correlated(1, 36)), pair_limit=128).values.astype(int)
    assert (sign * (values[:, ::2] + values[:, 1::2])).max() == 128


def test_a_bound_on_pairs_costs_less_than_a_bit(build: Build, random: Random, sqnr: Sqnr) -> None:
    layer = Layer(build, "Conv", random(6, 4, 3, 3))
    free, bound = (
        sqnr(layer.rows, layer.in_rows(found.values) * found.scales[None, :, None])
        for found in (layer.quantized(), layer.quantized(pair_limit=128))
    )
    assert free - 5 < bound < free


def test_a_scale_serves_the_inputs_that_vary(build: Build, random: Random, sqnr: Sqnr) -> None:
    weight = random(6, 36)
    # The largest weight is that of an input which is always the same, and it is a little larger than the others.
    weight[:, 7] = 1.6 * np.abs(weight).max(axis=1)
    layer = Layer(build, "Gemm", weight, transB=1)
    rows = random(1, 500, 36, seed=1).astype(np.float64)
    rows[..., 7] = 5
    served, uniform = (
        sqnr(layer.given(rows) - layer.bias, layer.given(rows, layer.quantized(seen)))
        for seen in (moments_of(rows), LayerInputs(moments_of(rows).mean, np.eye(36)[None]))
    )
    assert served > uniform + 2


def test_variances_alone_round_to_the_nearest_and_correct_the_bias(build: Build, random: Random) -> None:
    layer = Layer(build, "Gemm", random(6, 36), transB=1)
    rows = correlated(1, 36, mean=3)
    seen = moments_of(rows)
    found = layer.quantized(LayerInputs(seen.mean, seen.covariance[:, range(36), range(36)]))
    nearest = np.rint(layer.rows[0] / found.scales[:, None].astype(np.float64)).clip(-127, 127)
    np.testing.assert_array_equal(found.values, nearest)
    np.testing.assert_allclose(layer.given(rows, found).mean(0), layer.given(rows).mean(0), rtol=1e-4)


def test_in_blocks_the_result_is_that_of_one_after_the_other(
    build: Build, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Layer(build, "Conv", random(4, 8, 3, 3), group=2)
    seen = moments_of(correlated(*layer.rows.shape[::2]))
    whole = layer.quantized(seen, pair_limit=128)
    monkeypatch.setattr(weights_module, "_BLOCK", 5)
    np.testing.assert_array_equal(layer.quantized(seen, pair_limit=128).values, whole.values)


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        (np.ones((1, 8)), np.zeros((1, 8, 8))),
        (np.ones((1, 8)), np.ones((1, 8, 8))),
        (np.zeros((1, 8)), np.diag([1.0] + 7 * [0.0])[None]),
        (np.full((1, 8), 1e4), np.full((1, 8, 8), 1e-20)),
    ],
)
def test_inputs_that_never_change_or_are_always_the_same_do_not_fail(
    build: Build, random: Random, mean: Array, covariance: Array
) -> None:
    layer = Layer(build, "Gemm", random(6, 8), transB=1)
    found = layer.quantized(LayerInputs(mean, covariance), pair_limit=128)
    assert np.isfinite(found.scales).all()
    assert sqnr_db(layer.given(mean[:, None]), layer.given(mean[:, None], found)) > 100 or not mean.any()


@pytest.mark.parametrize("pair_limit", [None, 128])
@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_of_zero_stay_zero(build: Build, random: Random, pair_limit: int | None, per_channel: bool) -> None:
    weight = random(6, 4, 3, 3)
    weight[2] = 0
    for values in (weight, np.zeros_like(weight)):
        layer = Layer(build, "Conv", values)
        seen = moments_of(correlated(1, 36))
        found = layer.quantized(seen, pair_limit=pair_limit, per_channel=per_channel)
        assert not found.values[2].any()
        assert (found.scales > 0).all()
        assert np.isfinite(found.scales).all()
