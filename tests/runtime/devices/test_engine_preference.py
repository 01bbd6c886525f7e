"""A model runs in the engine that it was measured in, where that is here and the CPU is of that kind."""

import logging

import pytest

from edgevision.core.machine import Machine
from edgevision.modelfiles.measured_engine import InferencePrecision, MeasuredEngine, native_precisions
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices import availability, engine_preference
from edgevision.runtime.devices.opening import open_engine

BF16, FP16, FP32 = InferencePrecision.BF16, InferencePrecision.FP16, InferencePrecision.FP32
MEASURED = MeasuredEngine(
    engine="openvino",
    inference_precision=BF16,
    speedup=5.68,
    processor="A CPU",
    features=("avx2", "avx512_bf16"),
    threads=2,
)


@pytest.fixture(autouse=True)
def here(monkeypatch, caplog):
    """This CPU is of the measured kind, and nothing was said yet; call it to have other features."""

    def machine(*features: str) -> None:
        found = Machine(processor="Another CPU", cores=2, memory_gb=1.0, system="Linux", features=features)
        monkeypatch.setattr(Machine, "this", lambda: found)

    machine("avx2", "avx512_bf16", "avx512_vnni")
    engine_preference._say_once.cache_clear()
    caplog.set_level(logging.INFO, "edgevision")
    return machine


@pytest.fixture
def written(write_colours):
    """A model that is faster in OpenVINO, or as ``changes`` say."""

    def write(**changes: object):
        return write_colours(
            metadata=require_metadata(write_colours()).updated(measured_in=MEASURED.updated(**changes))
        )

    return write


def opened(path, device="cpu"):
    with open_engine(path, device) as engine:
        return engine.name


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_it_is_opened_as_it_was_measured(written, need, device):
    need("openvino")
    name = opened(written(), device)
    assert name.startswith("OpenVINO")
    assert name.endswith(" bf16")


def test_an_exact_name_chooses_another_engine_which_computes_in_float32(written, caplog):
    name = opened(written(), "ort:cpu")
    assert name.startswith("ONNX Runtime")
    assert "bf16" not in name
    assert not caplog.messages


def test_one_that_was_measured_in_onnx_runtime_says_nothing_and_is_float32_in_openvino(written, need, caplog):
    need("openvino")
    path = written(engine="onnxruntime", inference_precision=FP32)
    assert opened(path).startswith("ONNX Runtime")
    assert not opened(path, "openvino:cpu").endswith("bf16")
    assert not caplog.messages


def test_where_its_engine_is_not_installed_what_is_lost_is_said_once(written, monkeypatch, caplog):
    def unavailable_reason(backend, index=0, *, simulators=False):
        return "openvino is not installed" if backend.engine.name == "openvino" else None

    monkeypatch.setattr(availability, "unavailable_reason", unavailable_reason)
    path = written()
    for _ in range(3):
        assert opened(path).startswith("ONNX Runtime")
    (said,) = caplog.messages
    assert said.startswith(
        "colours.onnx was measured 5.7 times as fast in OpenVINO bf16, and openvino is not installed: "
    )
    assert "openvino" in said.rsplit("install", 1)[1]


def test_on_another_kind_of_cpu_the_measurement_does_not_hold(written, here, caplog):
    here("avx2")
    assert opened(written(speedup=None)).startswith("ONNX Runtime")
    assert caplog.messages == [
        "colours.onnx was measured to be fastest in OpenVINO bf16, on a CPU with avx512_bf16, which this one lacks"
    ]


def test_bfloat16_is_not_emulated_even_where_openvino_is_asked_for(written, need, here):
    need("openvino")
    here("avx2")
    assert not opened(written(), "openvino:cpu").endswith("bf16")


def test_the_precision_is_told_to_the_engine(written, need, here):
    need("openvino")
    path = written()
    with open_engine(path) as engine:
        assert engine._properties["INFERENCE_PRECISION_HINT"] == "bf16"
    with open_engine(path, inference_precision=FP32) as engine:
        assert engine._properties["INFERENCE_PRECISION_HINT"] == "f32"
    here("asimd", "bf16")
    with open_engine(written(engine="onnxruntime", features=())) as engine:
        entry = engine._session_options(None, {}).get_session_config_entry
        assert entry("mlas.enable_gemm_fastmath_arm64_bfloat16") == "1"


def test_an_engine_of_which_this_release_knows_nothing_is_no_reason_to_fail(written):
    assert opened(written(engine="new")).startswith("ONNX Runtime")


@pytest.mark.parametrize(
    ("engine", "features", "precisions"),
    [
        ("openvino", ("avx2", "avx512f"), (FP32,)),
        ("openvino", ("avx512f", "avx512_fp16", "amx_bf16"), (FP32, BF16)),
        ("openvino", ("avx512f", "amx_bf16", "amx_fp16"), (FP32, BF16, FP16)),
        ("openvino", ("asimd", "asimdhp", "bf16"), (FP32, FP16)),
        ("onnxruntime", ("avx512f", "amx_bf16"), (FP32,)),
        ("onnxruntime", ("asimd", "bf16"), (FP32, BF16)),
        ("new", ("amx_bf16",), (FP32,)),
    ],
)
def test_what_an_engine_computes_in_by_itself(engine, features, precisions):
    assert native_precisions(engine, features) == precisions


def test_a_command_remarks_on_it_unless_it_is_to_be_quiet(written, here, edgevision):
    here("avx2")
    said = "colours.onnx was measured 5.7 times as fast in OpenVINO bf16, on a CPU with avx512_bf16"
    assert edgevision("inspect", written(), "--device", "cpu")[2].startswith(said)
    engine_preference._say_once.cache_clear()
    assert said not in edgevision("bench", written(), "-d", "cpu", "--seconds", 0.01, "--runs", 1, "--quiet")[2]


def test_inspect_shows_it(written, edgevision):
    line = next(line for line in edgevision("inspect", written())[1].splitlines() if line.startswith("measured in"))
    assert line.split(None, 2)[2] == "OpenVINO bf16, 5.68 times as fast as in the other engine; A CPU, 2 threads"
