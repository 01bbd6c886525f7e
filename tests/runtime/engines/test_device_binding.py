from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.device_binding import DeviceBinding


@pytest.fixture
def bound(write_colours):
    """Fixed buffers on the CPU, which ONNX Runtime binds like those of a GPU."""
    path = write_colours(batch=2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with open_engine(path) as engine:
        return DeviceBinding(onnxruntime, session, "cpu", 0, engine.inputs, engine.outputs), engine.inputs[0]


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
