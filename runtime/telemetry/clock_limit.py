"""The highest clock that the kernel allows, which cooling lowers."""

from pathlib import Path

from edgevision.runtime.telemetry.source import SystemFile


class ClockLimit:
    """A file of cpufreq or devfreq that holds the limit."""

    def __init__(self, path: Path) -> None:
        self._file = SystemFile(path)
        self._at_first = self._file.number()

    def lowered(self) -> bool:
        """Whether it is lower than at the first look."""
        now = self._file.number()
        return now is not None and self._at_first is not None and now < self._at_first

    def close(self) -> None:
        self._file.close()
