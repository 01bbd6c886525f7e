"""How much memory is free for new work."""

import re
from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile


def parse_available(meminfo: str) -> float | None:
    """``MemAvailable`` of ``/proc/meminfo``, in MB of 2^20 bytes."""
    found = re.search(r"^MemAvailable:\s+([0-9]{1,15}) kB", meminfo, re.MULTILINE)
    return int(found[1]) / 1024 if found else None


class Memory:
    """The kernel's own estimate of what can be used without swapping."""

    def __init__(self, root: Path) -> None:
        self._file = SystemFile(root / "proc/meminfo", size=512)

    def read(self) -> Reading:
        return Reading(memory_available_mb=parse_available(self._file.text() or ""))

    def close(self) -> None:
        self._file.close()
