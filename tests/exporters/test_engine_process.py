"""Candidates run in a process of their own: what crashes or computes without end costs that candidate only."""

import math
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from edgevision.core.errors import EngineCrashError, ModelFileError, UnfitInputError
from edgevision.exporters import engine_process
from edgevision.exporters.engine_process import EngineProcess, OutOfTimeError, ProcessEngine, ProcessTimer
from edgevision.runtime.benchmark import timing

# A server whose engine computes without end where it is given a 3, crashes where it is given
# a 4, and waits where it is given a 5.
_FAULTY = """
import sys; sys.path[:] = {path!r}
import os, time
from edgevision.exporters import engine_server
run = engine_server.EngineServer._run
def faulty(server, number, inputs):
    kind = int(next(iter(inputs.values())).flat[0])
    while kind == 3:
        pass
    if kind == 4:
        os.abort()
    if kind == 5:
        time.sleep(600)
    return run(server, number, inputs)
engine_server.EngineServer._run = faulty
engine_server.serve()
"""

# A server whose engines give what the process was started with.
_TELLS = """
import sys; sys.path[:] = {path!r}
import os
from edgevision.exporters import engine_server
engine_server.EngineServer._run = lambda server, number, inputs: [os.environ["WHERE"], sys.path[-1]]
engine_server.serve()
"""


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineProcess]:
    """One with those faults; it waits for half a second."""
    monkeypatch.setattr(engine_process, "_LEAST_LIMIT", 0.5)
    monkeypatch.setattr(engine_process, "_POLL_SECONDS", 0.05)
    process = EngineProcess(_FAULTY)
    yield process
    process.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Doubles four values."""
    value = [make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = make_graph([make_node("Add", ["x", "x"], ["y"])], "double", value[:1], value[1:])
    path = tmp_path / "double.onnx"
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8), path)
    return path


def opened(process: EngineProcess, model: Path, closed: Any = lambda: None) -> ProcessEngine:
    return ProcessEngine(process, model, "ort:cpu", {"threads": 1}, closed)


def four(value: float) -> dict[str, Any]:
    return {"x": np.full((1, 4), value, np.float32)}


def test_an_engine_in_the_process_is_as_any_other(process: EngineProcess, model: Path) -> None:
    closed: list[bool] = []
    with opened(process, model, lambda: closed.append(True)) as engine:
        assert engine.run(four(2))[0].tolist() == [[4, 4, 4, 4]]
        assert engine.name.startswith("ONNX Runtime")
        assert [spec.name for spec in (*engine.inputs, *engine.outputs)] == ["x", "y"]
        with pytest.raises(UnfitInputError):
            engine.run({"x": np.zeros((1, 5), np.float32)})
        assert closed == []
        assert process.cpu_seconds > 0
    assert closed == [True]


def test_the_process_may_be_of_another_python_that_looks_for_modules_elsewhere(model: Path) -> None:
    process = EngineProcess(_TELLS, python=("env", "WHERE=there", sys.executable), path=[*sys.path, "elsewhere"])
    with closing(process), opened(process, model) as engine:
        assert engine.run(four(1)) == ["there", "elsewhere"]


def test_a_file_that_is_no_model_is_an_error_and_does_not_cost_the_process(
    process: EngineProcess, model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with opened(process, model) as engine:
        with pytest.raises(ModelFileError):
            opened(process, broken)
        assert engine.run(four(1))[0].sum() == 8
        assert process.generation == 0


@pytest.mark.parametrize(("fault", "message"), [(3, "did not come back"), (4, "ended by itself")])
def test_what_hangs_or_crashes_is_given_up_and_the_others_are_opened_anew(
    process: EngineProcess, model: Path, fault: int, message: str
) -> None:
    with opened(process, model) as good, opened(process, model) as bad:
        good.run(four(1))
        for _ in range(2):  # the second time nobody is asked any more
            with pytest.raises(EngineCrashError, match=message):
                bad.run(four(fault))
        assert good.run(four(6))[0].sum() == 48
        assert process.generation == 1


@pytest.mark.parametrize(("fault", "least", "most"), [(3, 0.05, math.inf), (5, 0.0, 0.5)])
def test_what_is_given_up_has_cost_what_it_computed_and_not_how_long_it_was_waited_for(
    process: EngineProcess, model: Path, monkeypatch: pytest.MonkeyPatch, fault: int, least: float, most: float
) -> None:
    monkeypatch.setattr(engine_process, "_STALLED", 1.0)
    with opened(process, model) as engine:
        engine.run(four(1))
        before = process.cpu_seconds
        with pytest.raises(EngineCrashError, match="did not come back"):
            engine.run(four(fault))
        assert least <= process.cpu_seconds - before < most


class Clock:
    """A second later whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(process: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """That of the process, which does not end what computes."""
    clock = Clock()
    monkeypatch.setattr(process, "_clock", clock)
    monkeypatch.setattr(engine_process, "_LEAST_LIMIT", 1e6)
    return clock


def test_no_request_lasts_longer_than_what_is_left_of_a_promise(
    process: EngineProcess, model: Path, clock: Clock
) -> None:
    with opened(process, model) as engine:
        engine.run(four(1))
        with process.within(5.0):
            end = clock.now + 5
            with pytest.raises(OutOfTimeError, match=r"no time to wait for it longer than \d s"):
                engine.run(four(3))
            assert clock.now == end + 1
        # It may have been in order, and is asked again where there is more time.
        assert engine.run(four(1))[0].sum() == 8


def test_what_is_asked_after_a_promise_is_refused_and_costs_no_engine(
    process: EngineProcess, model: Path, clock: Clock
) -> None:
    with opened(process, model) as engine:
        with process.within(0.0):
            with process.within(1000.0), pytest.raises(OutOfTimeError, match="no time left to try it"):
                engine.run(four(1))
            with pytest.raises(OutOfTimeError):
                opened(process, model)
        assert process.generation == 0
        assert engine.run(four(1))[0].sum() == 8
        with process.within(None):
            assert engine.run(four(1))[0].sum() == 8
        process.within(0.0).__enter__()
    assert process.generation == 0  # it was closed all the same


def test_engines_of_one_process_are_timed_in_there(process: EngineProcess, model: Path) -> None:
    with opened(process, model) as one, opened(process, model) as two:
        timer = ProcessTimer({"one": one, "two": two}, [four(1)], 0.1, timing.Clock.WALL)
        timer.measure(0.01, fewest=3, most=5)
        assert 3 <= timer.rounds <= 5
        assert timer.speedup("one", over="two").rounds == timer.rounds
        before = timer.rounds
        timer.measure(0.0, fewest=before + 1)
        assert timer.rounds == before + 1


def test_what_is_interrupted_does_not_answer_the_next_request(
    process: EngineProcess, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(process, model) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(process, "_awaited", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                engine.run(four(1))
        assert engine.run(four(2))[0].sum() == 16
