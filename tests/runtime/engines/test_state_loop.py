"""What a network remembers, carried from frame to frame: handed to an engine, or left in ONNX Runtime's buffers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_writer import node, onnx_model

from edgevision.core.errors import DeviceError, UnfitInputError
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.engines.recording import RecordingEngine
from edgevision.runtime.engines.state_loop import CarriedState, StateLoop, open_state_loop

DELAYS = (1, 3)


@pytest.fixture
def engine(tmp_path: Path, need: Callable[[str], None]) -> Engine:
    """Of frames x it gives x + 10 y1 + 100 y3, of which y1 was x a frame ago and y3 three frames ago."""
    need("onnxruntime")
    nodes = [
        node("Mul", ["early_1", "ten"], ["tenfold"]),
        node("Mul", ["early_3", "hundred"], ["hundredfold"]),
        node("Sum", ["frame", "tenfold", "hundredfold"], ["answer"]),
        node("Identity", ["frame"], ["next_1"]),
        node("Identity", ["frame"], ["next_3"]),
    ]
    weights = {name: np.array([value], np.float32) for name, value in (("ten", 10), ("hundred", 100))}
    shape = ("batch", 2)
    names = [f"early_{delay}" for delay in DELAYS]
    path = tmp_path / "delays.onnx"
    outputs = ["answer", *(f"next_{delay}" for delay in DELAYS)]
    path.write_bytes(onnx_model(nodes, dict.fromkeys(["frame", *names], shape), dict.fromkeys(outputs, shape), weights))
    return open_engine(path, threads=1)


@pytest.fixture(params=["bound", "handed"])
def loop(engine: Engine, request: pytest.FixtureRequest) -> Callable[[int], StateLoop]:
    """As ONNX Runtime has it, and as every other engine."""
    states = [CarriedState(f"early_{delay}", f"next_{delay}", delay) for delay in DELAYS]
    used = engine if request.param == "bound" else RecordingEngine(engine)

    def opened(streams: int = 1) -> StateLoop:
        found = open_state_loop(used, states, streams)
        assert (type(found).__name__ == "BoundStates") == (request.param == "bound")
        return found

    return opened


def test_a_state_comes_back_after_its_delay_and_begins_with_zeros(loop: Callable[..., StateLoop]) -> None:
    called = loop()
    answers = [called(np.full((1, 2), value, np.float32)).tolist() for value in (1, 2, 3, 4, 5)]
    expected = [1, 2 + 10, 3 + 20, 4 + 30 + 100, 5 + 40 + 200]
    assert answers == [[[value, value]] for value in expected]


def test_streams_in_step_do_not_meet_nor_do_loops_of_one_engine(loop: Callable[..., StateLoop]) -> None:
    pair, alone = loop(2), loop()
    first = pair(np.array([[1, 1], [2, 2]], np.float32))
    assert alone(np.full((1, 2), 7, np.float32)).tolist() == [[7, 7]]
    assert pair(np.array([[0, 0], [0, 0]], np.float32)).tolist() == [[10, 10], [20, 20]]
    assert first.tolist() == [[1, 1], [2, 2]], "an answer is the caller's"


def test_a_frame_that_does_not_fit_is_as_if_it_had_not_come(loop: Callable[..., StateLoop]) -> None:
    called = loop()
    called(np.ones((1, 2), np.float32))
    with pytest.raises(UnfitInputError):
        called(np.ones((1, 3), np.float32))
    assert called(np.zeros((1, 2), np.float32)).tolist() == [[10, 10]]


def test_an_engine_that_is_closed_answers_no_frame(engine: Engine, loop: Callable[..., StateLoop]) -> None:
    called = loop()
    engine.close()
    with pytest.raises((DeviceError, RuntimeError), match="closed"):
        called(np.ones((1, 2), np.float32))
