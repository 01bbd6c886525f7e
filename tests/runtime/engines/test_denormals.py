"""Engines take denormal numbers for zero while they compute, in every thread, and leave the threads as they were."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines import denormals

SHAPE = (1, 8, 16, 16)
here = pytest.mark.skipif(denormals._library() is None, reason="only x86 under glibc lets a thread's mode be set")


@pytest.fixture
def tiny(tmp_path):
    """A convolution whose products are all denormal: neither weights nor input are."""
    weights = numpy_helper.from_array(np.full((8, 8, 1, 1), 1e-20, np.float32), "w")
    specs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", specs[:1], specs[1:], [weights])
    path = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


FEEDS = {"x": np.full(SHAPE, 1e-20, np.float32)}


def computes_denormals() -> bool:
    return bool(np.any((np.full(4, 1e-38, np.float32) * np.float32(0.1)).view(np.uint32)))


@here
@pytest.mark.parametrize("device", ["ort:cpu", "openvino:cpu"])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_denormal_on_the_way_is_zero_in_every_thread_and_in_no_other_code(tiny, device, threads):
    # What the first session of a process says of its main thread would hold for good.
    plain = onnxruntime.InferenceSession(str(tiny), providers=["CPUExecutionProvider"])
    assert plain.run(None, FEEDS)[0].view(np.uint32).all()
    assert computes_denormals()
    with open_engine(tiny, device, threads=threads) as engine, ThreadPoolExecutor(1) as pool:
        assert computes_denormals()
        for run in (engine.run, lambda feeds: pool.submit(engine.run, feeds).result()):
            assert not run(FEEDS)[0].view(np.uint32).any()
        assert computes_denormals()
        assert pool.submit(computes_denormals).result()


@here
@pytest.mark.parametrize("threads", [1, 2])
def test_they_are_computed_where_onnx_runtime_is_to_be_as_it_is_by_itself(tiny, threads):
    with open_engine(tiny, "ort:cpu", threads=threads, flush_denormals=False) as engine:
        assert engine.run(FEEDS)[0].view(np.uint32).all()


@here
def test_a_thread_is_as_it_was_after_an_error():
    def fail():
        assert not computes_denormals()
        raise KeyError("x")

    with pytest.raises(KeyError):
        denormals.denormals_as_zero(fail)()
    assert computes_denormals()


def test_where_the_mode_cannot_be_set_the_session_alone_decides(tiny, monkeypatch):
    monkeypatch.setattr(denormals, "_library", lambda: None)
    assert denormals.denormals_as_zero(len) is len
    code = f"""
import numpy as np
from pathlib import Path
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines import denormals
denormals._library = lambda: None
with open_engine(Path({str(tiny)!r}), threads=1) as engine:
    print(np.count_nonzero(engine.run({{"x": np.full({SHAPE}, 1e-20, np.float32)}})[0].view(np.uint32)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "0\n"
