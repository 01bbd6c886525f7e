"""The memory of this process: how much is resident, and giving back what is free."""

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_mb(name: str = "VmRSS") -> float | None:
    """What is resident, in MB of 2^20 bytes, or of ``VmHWM`` the most that was; ``None`` where no system tells."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) / 2**10 if found else None


def heap_trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim, which gives freed memory back to the system; elsewhere that happens by itself or not at all.

    ``None`` where it is not known how.
    """
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim
