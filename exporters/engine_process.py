"""Engines in a process of their own, where candidates that nobody has ever run may crash or compute without end.

An engine's kernels are native code for forms that its authors may never have seen: OpenVINO 2026.4.1 does not come back
from a network with dilated depthwise convolutions in int8 (see :attr:`.Target.dilated_depthwise`). No thread can be
stopped in there, so candidates are compiled, run and timed in one child process. It is started when it is first needed
and is used until it is lost: then it is ended, the candidate is given up, and what else was open is opened anew in the
next one when it is wanted.
"""

import atexit
import math
import os
import pickle
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from edgevision.core.errors import EngineCrashError
from edgevision.modelfiles.task_registry import registered_tasks
from edgevision.runtime.benchmark.timing import Clock, Feeds, InterleavedRuns, TimedRuns
from edgevision.runtime.engines.engine import Array, Closeable
from edgevision.runtime.telemetry.cpu_load import parse_process

# Seconds of CPU time that a request may take whatever was seen before, and how many times as long as the longest of its
# kind so far: a network's forms differ by less, and int8 that is so much slower than float is of no use.
_LEAST_LIMIT = 8.0
_TIMES_AS_LONG = 10.0
# Before anything of a kind was seen.
_FIRST_LIMIT = 300.0
# Where the system does not tell the CPU time of another process: so many times that on the wall.
_WALL = 8.0
# Where all threads wait for each other, none is used for so long; on the busiest machine there is some.
_STALLED = 60.0
_POLL_SECONDS = 0.25

_PROGRAM = "import sys; sys.path[:] = {path!r}; from edgevision.exporters.engine_server import serve; serve()"


class OutOfTimeError(EngineCrashError):
    """A request would have lasted longer than was promised, or come after that: it may have been in order."""


class EngineProcess:
    """One child process at a time, and what it is asked.

    Args:
        clock: by which it is waited, in seconds.
        python: the command that is started, by default this Python.
        path: where it looks for modules, by default as this process.

    Attributes:
        generation: how many children were lost or ended so far.
        path: as given.
    """

    def __init__(
        self,
        program: str = _PROGRAM,
        clock: Callable[[], float] = time.monotonic,
        python: Sequence[str] = (sys.executable,),
        path: list[str] | None = None,
    ) -> None:
        self.path = sys.path if path is None else path
        self._command = [*python, "-c", program.format(path=self.path)]
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = Lock()
        self._numbers = 0
        self._lost_seconds = 0.0
        self._child_seconds = 0.0
        self._longest: dict[str, float] = {}
        self._end = math.inf
        self.generation = 0

    @property
    def cpu_seconds(self) -> float:
        """What was computed in there so far."""
        return self._lost_seconds + self._child_seconds

    @contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """No request lasts beyond so many seconds from now, of the clock on the wall, nor beyond what was said before.

        From then on all are refused but to close engines.
        """
        before = self._end
        self._end = before if seconds is None else min(before, self._clock() + seconds)
        try:
            yield
        finally:
            self._end = before

    def number(self) -> int:
        """A new name for something in there."""
        self._numbers += 1
        return self._numbers

    def ask(self, verb: str, *arguments: Any, allowed: float = 0.0, size: int = 1) -> Any:
        """The answer of the child, which is started if there is none.

        Args:
            allowed: seconds that it is meant to take, over those that are needed anyway.
            size: what the time is in proportion to.

        Raises:
            EngineCrashError: it did not answer in time, or ended by itself; then it is gone with all that it held.
            OutOfTimeError: there is no time left that was promised; where it was not asked for that, nothing is gone.
        """
        with self._lock:
            if verb != "close" and self._clock() >= self._end:
                raise OutOfTimeError("there was no time left to try it")
            process = self._process or self._started()
            assert process.stdin is not None
            before = self._child_seconds
            try:
                pickle.dump((verb, *arguments), process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.flush()
                answer = self._awaited(process, verb, allowed, size)
            except (OSError, EngineCrashError) as error:
                self._lose(process)
                if isinstance(error, EngineCrashError):
                    raise
                raise self._crash(process) from error
            except BaseException:
                # Its answer to what was interrupted would be taken for that to the next request.
                self._lose(process)
                raise
            value, self._child_seconds = answer
            spent = max(0.0, self._child_seconds - before - allowed) / size
            self._longest[verb] = max(self._longest.get(verb, 0.0), spent)
        if isinstance(value, Exception):
            raise value
        return value

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            if self._process is not None:
                self._lose(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        self._answers = queue.SimpleQueue()
        self._process = process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        Thread(target=_read, args=(process, self._answers), daemon=True).start()
        return process

    def _awaited(self, process: subprocess.Popen[bytes], verb: str, allowed: float, size: int) -> Any:
        known = self._longest.get(verb)
        limit = _FIRST_LIMIT if known is None else _LEAST_LIMIT + _TIMES_AS_LONG * known * size
        limit += 2 * allowed
        started = progressed = self._clock()
        before = last = _cpu_seconds(process.pid)
        computed = self._child_seconds
        while True:
            with suppress(queue.Empty):
                answer = self._answers.get(timeout=_POLL_SECONDS)
                if answer is None:
                    raise self._crash(process)
                return answer
            now, used = self._clock(), _cpu_seconds(process.pid)
            waited = now - started
            if used is None or before is None:
                over = waited > _WALL * limit
                self._child_seconds = computed + waited
            else:
                progressed, last = (now, used) if used != last else (progressed, last)
                over = used - before > limit or now - progressed > _STALLED
                # In hundredths here, and finer in its answers.
                self._child_seconds = max(computed, used)
            if over:
                raise EngineCrashError(f"it did not come back within {waited:.0f} s and was ended")
            if now > self._end:
                raise OutOfTimeError(f"there was no time to wait for it longer than {waited:.0f} s")

    def _crash(self, process: subprocess.Popen[bytes]) -> EngineCrashError:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        return EngineCrashError(f"its process ended by itself, with {process.returncode}")

    def _lose(self, process: subprocess.Popen[bytes]) -> None:
        self._lost_seconds += self._child_seconds
        self._child_seconds = 0.0
        self._process = None
        self.generation += 1
        process.kill()
        with suppress(OSError), process:
            pass


@cache
def engine_process() -> EngineProcess:
    """The one of this process, which ends with it: starting one takes longer than most candidates."""
    process = EngineProcess()
    atexit.register(process.close)
    return process


class ProcessEngine(Closeable):
    """An engine in a child process; it is opened anew where another candidate has cost the process."""

    def __init__(
        self, process: EngineProcess, path: Path, device: str, options: Mapping[str, Any], closed: Callable[[], None]
    ) -> None:
        """Open a model file, which has to stay until it is ``closed``; raises as :func:`open_engine`."""
        self.process = process
        self._opening = path, device, options
        self._closed = closed
        self._number, self._generation = process.number(), -1
        self._failure: EngineCrashError | None = None
        try:
            self._open()
        except BaseException:
            closed()
            raise

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        number = self.opened()
        size = sum(array.size for array in inputs.values())
        try:
            return self.process.ask("run", number, dict(inputs), size=size)  # type: ignore[no-any-return]
        except OutOfTimeError:
            raise
        except EngineCrashError as error:
            self._failure = error
            raise

    def opened(self) -> int:
        """Its number in the process that there is now; an engine that has crashed stays so."""
        if self._failure is not None:
            raise self._failure
        if self._generation != self.process.generation:
            self._open()
        return self._number

    def close(self) -> None:
        if self._generation == self.process.generation:
            with suppress(EngineCrashError):
                self.process.ask("close", self._number)
        self._closed()

    def _open(self) -> None:
        self.process.ask("know", registered_tasks(), self.process.path)
        facts = self.process.ask("open", self._number, *self._opening)
        self._generation = self.process.generation
        self.name, self.device, self.provider, self.assignment, self.inputs, self.outputs = facts


class ProcessTimer(InterleavedRuns[str]):
    """Times one inference of each of some engines of one process, in there: see :func:`.inferences_by_turns`."""

    def __init__(
        self, engines: Mapping[str, ProcessEngine], feeds: Sequence[Feeds], block_ms: float, clock: Clock
    ) -> None:
        super().__init__({name: TimedRuns() for name in engines}, len(feeds))
        self._process = next(iter(engines.values())).process
        self._engines = list(engines.values())
        # One that was lost is opened before the others' numbers count.
        numbers = {name: engine.opened() for name, engine in engines.items()}
        self._size = len(engines) * sum(array.size for array in feeds[0].values())
        self._number = self._process.number()
        self._process.ask(
            "timer", self._number, numbers, [dict(one) for one in feeds], block_ms, clock, size=self._size
        )

    def measure(self, seconds: float, **options: int) -> None:
        """As :meth:`.InterleavedTimer.measure`."""
        self._ratios.clear()
        self.timed = self._process.ask("measure", self._number, seconds, options, allowed=seconds, size=self._size)


def _read(process: subprocess.Popen[bytes], answers: "queue.SimpleQueue[Any]") -> None:
    """Put what the child answers into the queue, and ``None`` when it has ended."""
    assert process.stdout is not None
    with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
        while True:
            answers.put(pickle.load(process.stdout))
    answers.put(None)


def _cpu_seconds(process: int) -> float | None:
    """CPU time of a process; ``None`` where the system does not tell."""
    try:
        found = parse_process(Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace"))
        return None if found is None else found[1] / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return None
