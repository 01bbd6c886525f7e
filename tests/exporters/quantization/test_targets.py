"""What int8 looks like on each device."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.core.errors import InputError
from edgevision.core.machine import Machine
from edgevision.exporters.quantization.targets import BOARDS, TARGETS, Target, find_target, for_format, is_this_machine
from edgevision.exporters.quantization.units import WEIGHTED, Unit
from edgevision.modelfiles.model_file import ModelFormat

ends = st.floats(-1e4, 1e4, width=32)


def machine(*features: str) -> Machine:
    return Machine(processor="a CPU", cores=4, memory_gb=8.0, system="Linux", features=features)


def ends_of(target: Target, low: float, high: float) -> tuple[float, float]:
    """The lowest and the highest value that are represented."""
    scale, zero = target.activation_scale(low, high)
    info = np.iinfo(target.activations)
    return (info.min - int(zero)) * scale, (info.max - int(zero)) * scale


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@given(one=ends, other=ends)
@settings(deadline=None, max_examples=40)
def test_the_range_is_covered_and_zero_is_an_integer(target: Target, one: float, other: float) -> None:
    low, high = sorted((one, other))
    scale, zero = target.activation_scale(low, high)
    assert scale > 0
    assert zero.shape == ()
    assert zero.dtype == target.activations
    lowest, highest = ends_of(target, low, high)
    # The zero point is a whole number: one end may move by half a step.
    assert lowest <= min(low, 0) + 0.501 * scale
    assert highest >= max(high, 0) - 0.501 * scale
    # And no step is wasted.
    assert highest - lowest <= 2.01 * max(abs(low), abs(high), high - low, target.least_range)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-3.0, 0.0), (-1.0, 1.0), (2.0, 5.0), (-5.0, -2.0)])
def test_the_ends_of_a_range_are_represented_to_half_a_step(target: Target, low: float, high: float) -> None:
    scale, zero = target.activation_scale(low, high)
    info = np.iinfo(target.activations)
    for value in (low, high, 0.0):
        integer = np.clip(np.rint(value / scale) + int(zero), info.min, info.max)
        assert abs((integer - int(zero)) * scale - value) <= 0.501 * scale * (value != 0)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_tensor_of_zeros_has_a_scale_of_the_least_range(target: Target) -> None:
    scale, zero = target.activation_scale(0.0, 0.0)
    lowest, highest = ends_of(target, 0.0, 0.0)
    assert highest == pytest.approx(target.least_range)
    assert lowest == pytest.approx(-target.least_range if target.symmetric else 0, abs=1.01 * scale)
    assert np.float32(scale) > np.finfo(np.float32).tiny
    assert target.activation_scale(0.0, target.least_range / 2) == (scale, zero)


def test_what_is_never_negative_has_all_steps_above_zero_unless_zero_must_be_the_integer_0() -> None:
    assert TARGETS["x86-avx2"].activation_scale(0, 2.55) == (pytest.approx(0.01), 0)
    assert TARGETS["arm64"].activation_scale(0, 2.55) == (pytest.approx(0.01), -128)
    assert TARGETS["jetson-orin"].activation_scale(0, 1.27) == (pytest.approx(0.01), 0)
    assert TARGETS["jetson-orin"].activation_scale(-1.27, 0.5) == (pytest.approx(0.01), 0)
    assert TARGETS["x86-avx2"].activation_scale(-2.55, 0) == (pytest.approx(0.01), 255)


@given(one=ends, other=ends)
@settings(deadline=None, max_examples=40)
def test_16_bits_have_steps_256_times_as_fine(one: float, other: float) -> None:
    low, high = sorted((one, other))
    target = TARGETS["qualcomm-htp"]
    scale, zero = target.activation_scale(low, high)
    fine, place = target.activation_scale(low, high, a16w8=True)
    assert fine == pytest.approx(scale / 257)
    assert (place.dtype, place.shape) == (np.uint16, ())
    assert abs(int(place) - 257 * int(zero)) <= 129


def test_only_qualcomms_npu_has_activations_of_16_bits() -> None:
    wide = {name: target.activations_of_16_bits for name, target in TARGETS.items() if target.activations_of_16_bits}
    assert wide == {"qualcomm-htp": "uint16"}


def test_every_target_is_found_by_its_name_and_says_where_its_values_come_from() -> None:
    for name, target in TARGETS.items():
        assert find_target(name) is target
        assert target.name == name
        assert target.source
        assert target.speedup > 1
        assert {"Conv", "Gemm", "MatMul"} <= target.operators
        assert target.per_tensor <= WEIGHTED


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_is_found_by_the_name_people_know_it_by(board: str) -> None:
    assert board not in TARGETS
    assert find_target(board) is TARGETS[BOARDS[board]]


@pytest.mark.parametrize("name", ["tpu", "", "X86-AVX2"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find_target(name)
    message = str(caught.value)
    assert repr(name) in message
    assert all(known in message for known in ("auto", *TARGETS, *BOARDS))


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (("ssse3",), "x86-avx2"),
        (("avx2", "fma"), "x86-avx2"),
        (("avx2", "avx512f"), "x86-avx2"),
        (("avx2", "avx_vnni"), "x86-vnni"),
        (("avx2", "avx512f", "avx512_vnni"), "x86-vnni"),
        (("avx2", "amx_int8"), "x86-vnni"),
        (("asimd",), "arm64"),
        (("asimd", "asimdhp", "asimddp", "i8mm"), "arm64-dotprod"),
    ],
)
def test_auto_is_what_the_cpu_can_do(features: Sequence[str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine(*features)
    assert find_target("auto", here) is TARGETS[expected]
    monkeypatch.setattr(Machine, "this", lambda: here)
    assert find_target("auto") is TARGETS[expected]
    assert [name for name, target in TARGETS.items() if is_this_machine(target)] == [expected]


@pytest.mark.parametrize("features", [(), ("fma", "f16c")])
def test_a_cpu_that_is_not_in_the_table_asks_for_a_name(
    features: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="--target"):
        find_target("auto", machine(*features))
    monkeypatch.setattr(Machine, "this", lambda: machine(*features))
    assert not any(map(is_this_machine, TARGETS.values()))
    # A name says enough.
    assert find_target("pi5") is TARGETS["arm64-dotprod"]


def test_litert_has_its_own_integers_on_every_cpu() -> None:
    for name in ("x86-avx2", "x86-vnni", "arm64"):
        target = for_format(TARGETS[name], ModelFormat.TFLITE)
        assert (target.name, target.activations, target.pair_limit) == (name, "int8", None)
        assert for_format(TARGETS[name], ModelFormat.ONNX) is TARGETS[name]


def test_ncnn_has_int8_on_cpus_in_layers_with_weights_that_round_what_they_take() -> None:
    for name in ("x86-avx2", "x86-vnni", "arm64", "arm64-dotprod"):
        target = for_format(TARGETS[name], ModelFormat.NCNN)
        assert (target.name, target.activations, target.symmetric, target.pair_limit) == (name, "int8", True, None)
        assert (target.operators, target.rounds_inputs) == ({"Conv", "Gemm"}, True)
        assert not target.quantized_bias
        units = {
            groups: Unit("c", "Conv", ("c",), ("x",), "y", channels=channels, groups=groups)
            for groups, channels in ((1, (8, 8)), (2, (4, 8)), (8, (1, 8)), (4, (1, 8)))
        }
        # Its scales of weights are those of a group.
        assert [target.has_kernel(unit) for unit in units.values()] == [True, False, True, False]
        assert all(map(TARGETS[name].has_kernel, units.values()))
    for name in ("jetson-orin", "intel-npu", "qualcomm-htp"):
        with pytest.raises(InputError, match=f"NCNN computes in int8 on CPUs, not on {name}: give --target arm64"):
            for_format(TARGETS[name], ModelFormat.NCNN)
