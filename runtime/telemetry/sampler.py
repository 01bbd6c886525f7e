"""Samples the board in the background while something else is measured."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from edgevision.runtime.telemetry.board_report import BoardReport, mean_power, measured_rails
from edgevision.runtime.telemetry.clocks import CpuFrequency, GpuClock
from edgevision.runtime.telemetry.cpu_load import CpuLoad, count_cores
from edgevision.runtime.telemetry.findings import find
from edgevision.runtime.telemetry.jetson import Tegrastats, parse_clocks_locked, parse_power_mode, parse_release
from edgevision.runtime.telemetry.linux import EventCounters, Memory, Temperatures, board_name, parse_warnings
from edgevision.runtime.telemetry.power_monitors import Ina238, Ina3221
from edgevision.runtime.telemetry.raspberry_pi import RaspberryPi
from edgevision.runtime.telemetry.reading import BoardState, Reading, combine, power_covers
from edgevision.runtime.telemetry.system import RunTool, StartTool, read_text, run_tool, start_tool

logger = logging.getLogger(__name__)


class Source(Protocol):
    """Something that knows a part of the board's state."""

    def read(self) -> Reading:
        """The fields this source knows, now; ``time_s`` is left at 0."""

    def close(self) -> None:
        """Free what is held; called once, after the last reading."""


class Telemetry:
    """Reads the board's state every ``interval`` seconds between entering and leaving, in a thread of its own.

        with Telemetry() as telemetry:
            ...
        report = telemetry.report()

    Nothing that a board's files or tools say makes it fail; what cannot be read is absent from the report. ``root`` is
    the root of the file system, ``run`` runs a tool and ``start`` starts one that keeps printing: the way in for a
    board that is not this machine.

    ``started`` is the :func:`time.perf_counter` at which the readings' ``time_s`` is 0.
    """

    def __init__(
        self,
        *,
        interval: float = 0.5,
        root: Path = Path("/"),
        run: RunTool = run_tool,
        start: StartTool = start_tool,
    ) -> None:
        if interval <= 0:
            raise ValueError(f"interval must be positive, not {interval!r}")
        self._interval, self._root, self._run, self._start = interval, root, run, start
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="telemetry", daemon=True)
        self._readings: list[Reading] = []
        self._sources: list[Source] = []
        self._sampling_cpu_s = 0.0
        self.started = 0.0

    def __enter__(self) -> Self:
        self._cores = count_cores(read_text(self._root / "proc/stat") or "") or os.cpu_count() or 1
        self._sources = list(self._find_sources())
        clocks_locked = parse_clocks_locked(self._run(("jetson_clocks", "--show")) or "")
        self.started = time.perf_counter()
        self._read()
        self._before = self._state().updated(clocks_locked=clocks_locked)
        self._after = self._before
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._pi.expire()
        self._read()
        self._after = self._state()
        for source in self._sources:
            source.close()

    def _find_sources(self) -> Iterator[Source]:
        """In the order of trust: where two tell the same, the later one is believed."""
        ina3221, gpu = Ina3221(self._root), GpuClock(self._root)
        pi = self._pi = RaspberryPi(self._root, self._run, cores=self._cores)
        # It costs more than the files that say the same, where there are such files.
        if not ina3221.read().power_w or gpu.read().gpu_load is None:
            lines = self._start(("tegrastats", "--interval", str(round(self._interval * 1000))))
            if lines is not None:
                yield Tegrastats(lines)
        yield CpuFrequency(self._root, clocks=not pi.measures_clock)
        yield CpuLoad(self._root)
        yield Memory(self._root)
        yield Temperatures(self._root)
        yield EventCounters(self._root)
        yield Ina238(self._root)
        yield from (ina3221, gpu, pi)

    def report(self) -> BoardReport:
        """What was seen; complete once the ``with`` block is left."""
        readings = tuple(self._readings)
        release = parse_release(read_text(self._root / "etc/nv_tegra_release") or "")
        return BoardReport(
            board=board_name(self._root),
            software=f"L4T {release}" if release else None,
            power_mode=self._before.power_mode,
            clocks_locked=self._before.clocks_locked,
            before=self._before,
            after=self._after,
            readings=readings,
            findings=find(readings, self._before, self._after),
            mean_power_w=mean_power(readings),
            power_covers=power_covers(measured_rails(readings)),
            sampling_cpu_s=self._sampling_cpu_s,
        )

    def _sample(self) -> None:
        due = self.started + self._interval
        while not self._stop.wait(max(0.0, due - time.perf_counter())):
            self._read()
            # A board that is too slow for the interval is read less often, not in bursts.
            due = max(due + self._interval, time.perf_counter())
        self._sampling_cpu_s = time.thread_time()

    def _read(self) -> None:
        parts = []
        for source in tuple(self._sources):
            try:
                parts.append(source.read())
            except Exception:  # the measurement beside it is worth more than one figure of the board
                logger.warning("%s cannot be read and is left out", type(source).__name__, exc_info=True)
                self._sources.remove(source)
                source.close()
        self._readings.append(combine(time.perf_counter() - self.started, parts))

    def _state(self) -> BoardState:
        now = self._readings[-1]
        return BoardState(
            cores=self._cores,
            governors=tuple(dict.fromkeys(governor for governor in now.governors if governor)),
            power_mode=parse_power_mode(self._run(("nvpmodel", "-q")) or ""),
            throttled=now.throttled,
            occurred=now.occurred if self._pi.present else None,
            kernel_warnings=parse_warnings(self._run(("dmesg",)) or ""),
        )
