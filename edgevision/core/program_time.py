"""When the program was started that runs a command, for what a command promises on the clock.

On a busy machine seconds pass before the first line of a command is run.
"""

import os
import time
from contextvars import ContextVar
from pathlib import Path

# Field 22 of /proc/PID/stat, counted from behind the name in brackets, proc(5): in ticks since the machine's start.
_START_TIME = 19

_began: ContextVar[float | None] = ContextVar("_began", default=None)


def program_begins() -> None:
    """Say that this process is for one command, and has just begun with it."""
    _began.set(time.monotonic())


def command_start() -> float:
    """By :func:`time.monotonic`: when this process was started; now, where it is not for one command."""
    now, began = time.monotonic(), _began.get()
    return now if began is None else min(began, now - _process_age())


def _process_age() -> float:
    """Seconds; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0
