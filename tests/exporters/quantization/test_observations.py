"""What was seen of a float model: against patches cut out by hand, and against what the layers then give."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx.helper import make_node

import edgevision.exporters.quantization.observations as observations
from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.observations import BINS, LayerInputs, Observations, channel_peaks, observe
from edgevision.exporters.quantization.units import WEIGHTED, find_units
from edgevision.metrics.figures import sqnr_db

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Random = Callable[..., Array]
Run = Callable[[onnx.ModelProto, Array], Array]
Sqnr = Callable[[object, object], float]


def seen_of(model: onnx.ModelProto, *batches: Array) -> Observations:
    graph = to_ir(model)
    return observe(graph, find_units(graph, WEIGHTED), [[[batch]] for batch in batches])


def patches(
    x: Array,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
    group: int,
) -> Array:
    """float64 (group, positions, k): what each output of a convolution is a weighted sum of, by its definition."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    reach = [dilation * (size - 1) + 1 for dilation, size in zip(dilations, kernel, strict=True)]
    rows: list[list[Array]] = [[] for _ in range(group)]
    for sample in padded:
        for top in range(0, sample.shape[1] - reach[0] + 1, strides[0]):
            for left in range(0, sample.shape[2] - reach[1] + 1, strides[1]):
                window = sample[:, top : top + reach[0] : dilations[0], left : left + reach[1] : dilations[1]]
                for index, part in enumerate(np.split(window, group)):
                    rows[index].append(part.ravel())
    return np.array(rows)


def transposed_patches(x: Array, kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, ...]) -> Array:
    """float64 (1, positions, k): of a transposed convolution, which spreads each input over a window."""
    samples, channels, height, width = x.shape
    sides = [(side - 1) * strides[axis] + kernel[axis] for axis, side in enumerate((height, width))]
    rows = np.zeros((samples, *sides, channels, *kernel))
    for n, c, i, j in itertools.product(*map(range, x.shape)):
        for a, b in itertools.product(*map(range, kernel)):
            rows[n, i * strides[0] + a, j * strides[1] + b, c, a, b] = x[n, c, i, j]
    inside = rows[:, pads[0] : sides[0] - pads[2], pads[1] : sides[1] - pads[3]]
    return inside.reshape(1, -1, channels * kernel[0] * kernel[1])


def assert_moments(found: LayerInputs, rows: Array) -> None:
    """``found`` are mean and covariance of rows (groups, positions, k)."""
    expected = np.stack([np.cov(group.T, ddof=0).reshape(rows.shape[2], rows.shape[2]) for group in rows])
    assert found.mean.shape == (len(rows), rows.shape[2])
    assert found.covariance.shape == expected.shape
    assert sqnr_db(rows.mean(1), found.mean) > 100
    assert sqnr_db(expected, found.covariance) > 100


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "dilations", "group"),
    [
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
        ((3, 2), (2, 1), (1, 0, 2, 1), (1, 1), 1),
        ((2, 3), (1, 2), (0, 2, 1, 0), (2, 1), 1),
        ((3, 3), (2, 2), (2, 2, 2, 2), (2, 2), 2),
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 4),
    ],
)
def test_the_moments_of_a_convolutions_inputs_are_those_of_its_patches(
    build: Build, random: Random, kernel: Any, strides: Any, pads: Any, dilations: Any, group: int
) -> None:
    node = make_node(
        "Conv", ["x", "w"], ["y"], strides=strides, pads=pads, dilations=dilations, group=group, kernel_shape=kernel
    )
    model = build([node], {"w": random(4, 4 // group, *kernel)})
    # Two batches of different sizes; few enough positions that every one is looked at.
    batches = [random(1, 4, 7, 6) + 0.5, random(1, 4, 5, 8, seed=1)]
    rows = np.concatenate([patches(batch, kernel, strides, pads, dilations, group) for batch in batches], axis=1)
    assert_moments(seen_of(model, *batches).inputs["y"], rows)


@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [
        ((2, 2), (2, 2), (0, 0, 0, 0)),
        ((4, 4), (2, 2), (1, 1, 1, 1)),
        ((3, 2), (1, 2), (1, 0, 0, 1)),
        ((3, 3), (2, 3), (0, 0, 0, 0)),
    ],
)
def test_the_moments_of_a_transposed_convolutions_inputs_are_those_of_what_it_spreads(
    build: Build, random: Random, kernel: Any, strides: Any, pads: Any
) -> None:
    node = make_node("ConvTranspose", ["x", "w"], ["y"], strides=strides, pads=pads, kernel_shape=kernel)
    model = build([node], {"w": random(2, 3, *kernel)}, x=("batch", 2, "height", "width"))
    x = random(1, 2, 3, 3) + 0.5
    assert_moments(seen_of(model, x).inputs["y"], transposed_patches(x, kernel, strides, pads))


@given(data=st.data())
@settings(deadline=None, max_examples=12)
def test_what_a_layer_gives_has_the_mean_and_variance_that_follow_from_those_of_its_inputs(
    data: st.DataObject, build: Build, random: Random, run: Run
) -> None:
    operator = data.draw(st.sampled_from(["Conv", "ConvTranspose"]), "operator")
    kernel = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)), "kernel")
    dilations = data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2)), "dilations")
    options: dict[str, Any] = {
        "strides": data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)), "strides"),
        "dilations": dilations,
    }
    reach = [dilation * (size - 1) for dilation, size in zip(dilations, kernel, strict=True)]
    kind = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), "auto_pad")
    # ONNX Runtime has no kernel for SAME with dilations.
    if operator == "Conv" and kind != "NOTSET" and (kind == "VALID" or dilations == (1, 1)):
        options["auto_pad"] = kind
    else:
        before = [data.draw(st.integers(0, far), "pad") for far in reach]
        # More would leave nothing of what a transposed convolution gives.
        options["pads"] = before + [data.draw(st.integers(0, reach[axis] - before[axis]), "pad") for axis in (0, 1)]
    group = data.draw(st.sampled_from([1, 2, 4]), "group") if operator == "Conv" else 1
    sides = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)), "sides")
    if operator == "Conv" and not options.get("auto_pad", "").startswith("SAME"):
        pads = options.get("pads", (0, 0, 0, 0))
        assume(all(sides[axis] + pads[axis] + pads[axis + 2] > reach[axis] for axis in (0, 1)))
    weight = random(4, 4 // group, *kernel, seed=1)
    model = build([make_node(operator, ["x", "w"], ["y"], group=group, **options)], {"w": weight})
    x = random(1, 4, *sides) + 0.3
    given = run(model, x)
    assume(given.size and given[0, 0].size <= 64)
    seen = seen_of(model, x).inputs["y"]
    rows = (weight if operator == "Conv" else weight.swapaxes(0, 1)).reshape(group, 4 // group, -1).astype(float)
    mean = np.einsum("gok,gk->go", rows, seen.mean).ravel()
    variance = np.einsum("gok,gkl,gol->go", rows, seen.covariance, rows).ravel()
    assert sqnr_db(given.mean(axis=(0, 2, 3)), mean) > 80
    np.testing.assert_allclose(variance, given.var(axis=(0, 2, 3)), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_the_inputs_of_a_dense_layer_are_its_rows(build: Build, random: Random, operator: str) -> None:
    model = build([make_node(operator, ["x", "w"], ["y"])], {"w": random(5, 3)}, x=("batch", 5))
    x = random(40, 5) + np.arange(5, dtype=np.float32)
    assert_moments(seen_of(model, x[:30], x[30:]).inputs["y"], x[None])


def test_a_product_with_a_matrix_takes_the_last_axis_of_whatever_comes(build: Build, random: Random) -> None:
    model = build([make_node("MatMul", ["x", "w"], ["y"])], {"w": random(5, 3)}, x=("batch", "tokens", 5))
    x = random(2, 6, 5)
    assert_moments(seen_of(model, x).inputs["y"], x.reshape(1, 12, 5))


def test_of_a_layer_with_very_many_inputs_only_the_variances_are_noted(
    build: Build, random: Random, monkeypatch: pytest.MonkeyPatch, sqnr: Sqnr
) -> None:
    monkeypatch.setattr(observations, "_LARGEST_GRAM", 4)
    model = build([make_node("Gemm", ["x", "w"], ["y"])], {"w": random(5, 3)}, x=("batch", 5))
    x = random(40, 5) + 2
    found = seen_of(model, x).inputs["y"]
    assert found.covariance.shape == (1, 5)
    assert sqnr(x.var(axis=0)[None], found.covariance) > 100


def test_the_variance_of_values_far_from_zero_is_not_lost_in_rounding(build: Build, random: Random) -> None:
    model = build([make_node("Gemm", ["x", "w"], ["y"])], {"w": random(5, 3)}, x=("batch", 5))
    x = 1000 + 0.1 * random(48, 5)
    rows = x.astype(np.float64)[None]
    found = seen_of(model, x).inputs["y"]
    assert sqnr_db(np.cov(rows[0].T, ddof=0), found.covariance[0]) > 80
    assert sqnr_db(rows.mean(1), found.mean) > 120


def test_inputs_that_never_change_have_no_variance(build: Build, random: Random) -> None:
    model = build([make_node("Gemm", ["x", "w"], ["y"])], {"w": random(5, 3)}, x=("batch", 5))
    x = np.broadcast_to(np.float32([0.1, 0.2, 0.3, 1e6, -7e-6]), (33, 5)).copy()
    found = seen_of(model, x, x).inputs["y"]
    np.testing.assert_allclose(found.mean[0], x[0], rtol=1e-6)
    assert np.abs(found.covariance).max() == 0


@pytest.mark.parametrize("side", [32, 31, 27])
@pytest.mark.parametrize("stride", [2, 3])
def test_every_tap_of_a_transposed_convolution_is_seen_in_its_turn_however_large_the_picture(
    build: Build, random: Random, side: int, stride: int
) -> None:
    node = make_node("ConvTranspose", ["x", "w"], ["y"], strides=[stride, stride])
    model = build([node], {"w": random(1, 2, stride, stride)}, x=("batch", 1, "height", "width"))
    # An output takes exactly one of the taps, each as often as the others.
    mean = seen_of(model, np.ones((1, 1, side, side), np.float32)).inputs["y"].mean
    np.testing.assert_allclose(mean * stride**2, 1, atol=0.5)
    assert mean.sum() == pytest.approx(1)


def test_of_a_large_picture_enough_positions_are_looked_at(build: Build, random: Random, sqnr: Sqnr) -> None:
    model = build([make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], {"w": random(2, 4, 3, 3)})
    x = random(2, 4, 64, 64) * np.float32([1, 2, 3, 4]).reshape(4, 1, 1)
    found = seen_of(model, x).inputs["y"]
    variances = np.repeat(np.float64([1, 4, 9, 16]), 9)
    assert sqnr(variances, found.covariance[0].diagonal()) > 15


def test_extremes_are_exact_over_all_batches_and_every_value_falls_into_a_bin(build: Build, random: Random) -> None:
    nodes = [make_node("Conv", ["x", "w"], ["c"]), make_node("Relu", ["c"], ["y"])]
    model = build(nodes, {"w": np.full((1, 4, 1, 1), 0.5, np.float32)})
    batches = [random(1, 4, 6, 6), 3 * random(2, 4, 5, 5, seed=1)]
    found = seen_of(model, *batches).histograms
    # What is fused into the unit is not looked at.
    assert set(found) == {"x", "y"}
    assert found["x"].low == min(batch.min() for batch in batches)
    assert found["x"].high == max(batch.max() for batch in batches)
    assert found["y"].low == 0
    assert found["x"].counts.sum() == sum(batch.size for batch in batches)
    assert len(found["y"].counts) == BINS
    values = np.concatenate([batch.ravel() for batch in batches]).astype(np.float64)
    expected, _ = np.histogram(values, BINS, (found["x"].low, found["x"].high))
    np.testing.assert_array_equal(found["x"].counts, expected)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e30])
def test_a_tensor_that_is_always_the_same_has_equal_extremes_and_empty_bins(build: Build, value: float) -> None:
    model = build([make_node("Conv", ["x", "w"], ["y"])], {"w": np.ones((1, 4, 1, 1), np.float32)})
    found = seen_of(model, np.full((1, 4, 3, 3), value, np.float32)).histograms["x"]
    assert found.low == found.high == np.float32(value)
    assert not found.counts.any()


def test_values_with_fewer_numbers_between_them_than_bins_are_counted(build: Build) -> None:
    model = build([make_node("Conv", ["x", "w"], ["y"])], {"w": np.ones((1, 4, 1, 1), np.float32)})
    x = np.ones((1, 4, 3, 3), np.float32)
    x[0, 0] = np.nextafter(np.float32(1), np.float32(2))
    counts = seen_of(model, x).histograms["x"].counts
    assert (counts[0], counts[-1], counts.sum()) == (27, 9, 36)


def test_where_only_some_values_are_counted_they_come_from_all_over_the_picture(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "_VALUES", 64)
    model = build([make_node("Conv", ["x", "w"], ["y"])], {"w": np.ones((1, 4, 1, 1), np.float32)})
    x = np.ones((1, 4, 32, 32), np.float32)
    # Every 64th value lies at this border.
    x[..., 0] = 0
    counts = seen_of(model, x).histograms["x"].counts
    assert counts[0] < 0.1 * counts.sum()
    assert 64 <= counts.sum() < 128


def test_the_model_is_not_changed_by_looking_at_it(build: Build, random: Random) -> None:
    nodes = [make_node("Conv", ["x", "w"], ["c"]), make_node("Relu", ["c"], ["y"])]
    model = build(nodes, {"w": random(2, 4, 1, 1)})
    before = model.SerializeToString(deterministic=True)
    seen_of(model, random(1, 4, 3, 3))
    channel_peaks(to_ir(model), ["c"], [[random(1, 4, 3, 3)]])
    assert model.SerializeToString(deterministic=True) == before


def test_peaks_are_the_largest_magnitudes_in_each_channel(build: Build, random: Random) -> None:
    nodes = [make_node("Neg", ["x"], ["n"]), make_node("Relu", ["n"], ["y"])]
    graph = to_ir(build(nodes, x=("batch", 3, "height", "width")))
    batches = [random(2, 3, 4, 5), random(1, 3, 6, 2, seed=1) * np.float32([3, 0, 1]).reshape(3, 1, 1)]
    found = channel_peaks(graph, ["x", "n", "y"], [[batch] for batch in batches])
    expected = np.max([np.abs(batch).max(axis=(0, 2, 3)) for batch in batches], axis=0)
    np.testing.assert_array_equal(found["x"], expected)
    np.testing.assert_array_equal(found["n"], expected)
    below = np.max([(-batch).clip(0).max(axis=(0, 2, 3)) for batch in batches], axis=0)
    np.testing.assert_array_equal(found["y"], below)
