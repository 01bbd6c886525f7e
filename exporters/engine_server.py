"""What :mod:`edgevision.exporters.engine_process` starts: it opens models and runs and times them, as it is told.

It imports no more than a device has, so it starts in a moment and has no other library's threads. A request is a
pickled ``(verb, arguments)`` on its standard input, the answer ``(value or error, CPU seconds so far)`` on its output.
"""

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.task_registry import register_task, task_names
from edgevision.runtime.benchmark.timing import Clock, Feeds, InterleavedTimer, TimedRuns, inferences_by_turns
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Array, Engine

_PARENT_POLL_SECONDS = 2.0


class EngineServer:
    """Engines and timers by the numbers that were given to them."""

    def __init__(self) -> None:
        self._engines: dict[int, Engine] = {}
        self._timers: dict[int, InterleavedTimer[str]] = {}

    def answer(self, verb: str, *arguments: Any) -> Any:
        """Do what is asked."""
        verbs: Mapping[str, Callable[..., Any]] = {
            "know": self._know,
            "open": self._open,
            "run": self._run,
            "close": self._close,
            "timer": self._timer,
            "measure": self._measure,
        }
        return verbs[verb](*arguments)

    def _know(self, tasks: Mapping[str, str], path: list[str]) -> None:
        # A module that a task is in may be where only the other process looks for modules.
        sys.path[:] = path
        for name in tasks.keys() - set(task_names()):
            register_task(name, tasks[name])

    def _open(self, number: int, path: Path, device: str, options: Mapping[str, Any]) -> tuple[Any, ...]:
        engine = self._engines[number] = open_engine(path, device, **options)
        return engine.name, engine.device, engine.provider, engine.assignment, engine.inputs, engine.outputs

    def _run(self, number: int, inputs: Mapping[str, Array]) -> list[Array]:
        return self._engines[number].run(inputs)

    def _close(self, number: int) -> None:
        engine = self._engines.pop(number, None)
        if engine is not None:
            engine.close()

    def _timer(
        self, number: int, engines: Mapping[str, int], feeds: Sequence[Feeds], block_ms: float, clock: Clock
    ) -> None:
        # Those of the timer before hold on to engines that may be closed.
        self._timers.clear()
        runs = {name: self._engines[engine].run for name, engine in engines.items()}
        self._timers[number] = inferences_by_turns(runs, feeds, block_ms=block_ms, clock=clock)

    def _measure(self, number: int, seconds: float, options: Mapping[str, int]) -> Mapping[str, TimedRuns]:
        timer = self._timers[number]
        timer.measure(seconds, **options)
        return timer.timed


def serve() -> None:
    """Answer until nobody asks any more."""
    # What libraries print must not come between the answers, and Ctrl-C is for who asks.
    answers, requests = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    server = EngineServer()
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = server.answer(*request)
        except Exception as error:  # whatever it is, it is the answer
            answer = _portable(error)
        try:
            pickle.dump((answer, time.process_time()), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except BrokenPipeError:  # who asked has been killed
            os._exit(1)


def _portable(error: Exception) -> Exception:
    """What can be raised on the other side."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an engine's own, with whatever arguments
        return DeviceError(str(error))
    return error


def _end_with(parent: int) -> None:
    """End this process with its ``parent``, as an engine that computes without end reads no end of its input."""
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_SECONDS)
    os._exit(1)
