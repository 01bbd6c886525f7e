"""Who used the CPU: everything, this process tree, and the hypervisor's other guests."""

import os
from pathlib import Path
from typing import NamedTuple

from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.system import SystemFile, read_text, whole_number

# The order of the columns of a "cpu" line, proc(5). Guests' time is part of the user's and not counted twice.
_IDLE, _IOWAIT, _STEAL, _COLUMNS = 3, 4, 7, 8
# Columns of /proc/PID/stat after the name in brackets, proc(5): the parent, and the time of the process itself and of
# the children it has waited for, each in user and system mode.
_PARENT, _FIRST_TIME, _LAST_TIME = 1, 11, 14


# A tick is 10 ms, so that a share of fewer than these is mere rounding.
_FEWEST_TICKS = 10


class CpuTimes(NamedTuple):
    """Clock ticks of all cores together since the start of the machine."""

    busy: int
    idle: int
    steal: int

    @property
    def total(self) -> int:
        return self.busy + self.idle + self.steal


def parse_cpu_times(text: str) -> CpuTimes | None:
    """The first line of ``/proc/stat``; ``None`` if it is something else."""
    name, *columns = text.partition("\n")[0].split() or [""]
    ticks = [whole_number(column) for column in columns[:_COLUMNS]]
    known = [tick for tick in ticks if tick is not None and tick >= 0]
    if name != "cpu" or len(known) != len(ticks) or len(known) <= _IOWAIT:
        return None
    idle = known[_IDLE] + known[_IOWAIT]
    steal = known[_STEAL] if len(known) > _STEAL else 0
    return CpuTimes(busy=sum(known) - idle - steal, idle=idle, steal=steal)


def count_cores(text: str) -> int | None:
    """Online cores: the ``cpuN`` lines of ``/proc/stat``."""
    return sum(line.startswith("cpu") and line[3:4].isdigit() for line in text.splitlines()) or None


def parse_process(text: str) -> tuple[int, int] | None:
    """A process's parent and the ticks it has used, from ``/proc/PID/stat``; its name may hold brackets and spaces."""
    columns = text.rpartition(")")[2].split()
    used = [whole_number(column) for column in columns[_FIRST_TIME : _LAST_TIME + 1]]
    known = [tick for tick in used if tick is not None]
    parent = whole_number(columns[_PARENT]) if len(columns) > _LAST_TIME else None
    return None if parent is None or len(known) != len(used) else (parent, sum(known))


class CpuLoad:
    """Shares of the time since the reading before; the first has none, nor has one that comes right after another."""

    def __init__(self, root: Path, process: int | None = None) -> None:
        self._stat = SystemFile(root / "proc/stat", size=512)
        self._tree = ProcessTree(root / "proc", os.getpid() if process is None else process)
        self._before: tuple[CpuTimes, int | None] | None = None

    def read(self) -> Reading:
        times = parse_cpu_times(self._stat.text() or "")
        before = self._before
        total = times.total - before[0].total if times and before else None
        if times is None or (total is not None and 0 <= total < _FEWEST_TICKS):
            return Reading()
        own = self._tree.ticks()
        self._before = times, own
        if before is None or total is None or total < 0:
            return Reading()
        busy = _share(times.busy - before[0].busy, total)
        return Reading(
            cpu_busy=busy,
            # A process's ticks are booked a little apart from the machine's, so that alone it may seem to exceed them.
            cpu_own=None if own is None or before[1] is None else min(busy, _share(own - before[1], total)),
            cpu_steal=_share(times.steal - before[0].steal, total),
        )

    def close(self) -> None:
        self._stat.close()
        self._tree.close()


class ProcessTree:
    """A process and all its descendants, those that have ended included."""

    def __init__(self, folder: Path, process: int) -> None:
        self._folder, self._process = folder, str(process)
        self._files = {self._process: SystemFile(folder / self._process / "stat", size=1024)}
        self._seen: set[str] = set()

    def ticks(self) -> int | None:
        """CPU time used so far by all of them together."""
        self._find_descendants()
        own = parse_process(self._files[self._process].text() or "")
        if own is None:
            return None
        total = own[1]
        for process in [process for process in self._files if process != self._process]:
            found = parse_process(self._files[process].text() or "")
            if found is None:  # ended: its time is now among its parent's
                self._files.pop(process).close()
            else:
                total += found[1]
        return total

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _find_descendants(self) -> None:
        """Look at the processes that are new since the last time; a parent is always listed before its children's."""
        try:
            present = {name for name in os.listdir(self._folder) if name.isdigit()}  # noqa: PTH208  # half the time
        except OSError:
            return
        new, self._seen = present - self._seen, present
        parents = {process: parse_process(read_text(self._folder / process / "stat") or "") for process in new}
        found = True
        while found:
            children = [
                process
                for process, facts in parents.items()
                if process not in self._files and facts is not None and str(facts[0]) in self._files
            ]
            for process in children:
                self._files[process] = SystemFile(self._folder / process / "stat", size=1024)
            found = bool(children)


def _share(part: int, total: int) -> float:
    return min(1.0, max(0.0, part / total))
