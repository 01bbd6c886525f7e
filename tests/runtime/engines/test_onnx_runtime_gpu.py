from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgevision.modelfiles.metadata import Precision
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.onnx_runtime_gpu import CPU, CUDA, TENSORRT, IoBinding, provider_chain


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
    ("precision", "fp16", "int8"),
    [
        (Precision.FP32, "0", "0"),
        (Precision.FP16, "1", "0"),
        (Precision.INT8, "1", "1"),
        (Precision.INT8_WEIGHTS, "0", "0"),
    ],
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


@pytest.fixture
def bound(write_colours):
    """Fixed buffers on the CPU, which ONNX Runtime binds like those of a GPU."""
    path = write_colours(batch=2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with open_engine(path) as engine:
        return IoBinding(onnxruntime, session, "cpu", 0, engine.inputs, engine.outputs), engine.inputs[0]


def test_bound_buffers_give_the_result_of_each_call(bound):
    binding, _ = bound
    generator = np.random.default_rng(0)
    kept = []
    for _ in range(3):
        batch = generator.random((2, 3, 8, 8), np.float32)
        (found,) = binding.run({"image": batch})
        np.testing.assert_allclose(found, 10 * batch.mean((2, 3)), rtol=1e-5)
        kept.append((batch, found))
    for batch, found in kept:
        np.testing.assert_allclose(found, 10 * batch.mean((2, 3)), rtol=1e-5)


def test_threads_that_ask_at_the_same_time_get_their_own_answers(bound):
    binding, _ = bound

    def ask(shade):
        return binding.run({"image": np.full((2, 3, 8, 8), shade, np.float32)})[0][0, 0]

    with ThreadPoolExecutor(4) as threads:
        np.testing.assert_allclose(list(threads.map(ask, range(400))), 10.0 * np.arange(400), rtol=1e-5)


def test_what_is_not_contiguous_is_taken_as_it_reads(bound):
    binding, _ = bound
    batch = np.random.default_rng(1).random((8, 8, 3, 2), np.float32).transpose(3, 2, 0, 1)
    np.testing.assert_allclose(binding.run({"image": batch})[0], 10 * batch.mean((2, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    "feeds",
    [{}, {"image": np.zeros((1, 3, 8, 8), np.float32)}, {"image": np.zeros((2, 3, 8, 8))}],
    ids=["missing", "shape", "dtype"],
)
def test_an_input_that_does_not_fit_is_a_value_error(bound, feeds):
    with pytest.raises(ValueError, match="image"):
        bound[0].run(feeds)
