from pathlib import Path

import pytest

from edgevision.modelfiles.metadata import Precision
from edgevision.runtime.engines.provider_options import CPU, CUDA, TENSORRT, provider_chain


def test_the_cpu_stands_alone():
    assert provider_chain(CPU, cache=None) == [(CPU, {})]


@pytest.mark.parametrize("static", [False, True])
def test_cuda_captures_a_graph_where_every_side_is_fixed(static):
    (name, options), rest = provider_chain(CUDA, index=2, static=static, cache=None)
    assert name == CUDA
    assert rest == (CPU, {})
    assert options["device_id"] == "2"
    assert options["enable_cuda_graph"] == str(int(static))
    # What was exported and verified as float32 is computed as float32.
    assert options["use_tf32"] == "0"


@pytest.mark.parametrize(
    ("precision", "fp16", "int8"), [(Precision.FP32, "0", "0"), (Precision.FP16, "1", "0"), (Precision.INT8, "1", "1")]
)
def test_tensorrt_computes_in_the_precision_of_the_file(precision, fp16, int8):
    chain = provider_chain(TENSORRT, precision=precision, cache=None)
    assert [name for name, _ in chain] == [TENSORRT, CUDA, CPU]
    assert (chain[0][1]["trt_fp16_enable"], chain[0][1]["trt_int8_enable"]) == (fp16, int8)
    assert "trt_engine_cache_enable" not in chain[0][1]


def test_tensorrt_keeps_its_engines_where_the_cache_says():
    options = provider_chain(TENSORRT, cache=Path("kept"), static=True)[0][1]
    assert options["trt_engine_cache_enable"] == "1"
    assert options["trt_engine_cache_path"] == "kept"
    assert options["trt_cuda_graph_enable"] == "1"
    # Only one of the two may capture.
    assert provider_chain(TENSORRT, cache=None, static=True)[1][1]["enable_cuda_graph"] == "0"


@pytest.mark.parametrize("provider", [CPU, CUDA, TENSORRT])
def test_onnx_runtime_takes_options_as_text(provider):
    for _, options in provider_chain(provider, cache=Path("kept")):
        assert all(isinstance(value, str) for value in options.values())
