"""Jetson's counters of over-current events, ``oc1_event_cnt`` and so on among the hwmon devices."""

from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile
from edgevision.runtime.telemetry.throttling import Throttling


class OverCurrentCounters:
    """Says "over-current" when a counter has risen since the reading before."""

    def __init__(self, root: Path) -> None:
        self._files = [SystemFile(path) for path in sorted(root.glob("sys/class/hwmon/hwmon*/oc[0-9]*_event_cnt"))]
        self._before = [file.number() for file in self._files]

    def read(self) -> Reading:
        before, self._before = self._before, [file.number() for file in self._files]
        pairs = zip(before, self._before, strict=True)
        risen = any(earlier is not None and now is not None and now > earlier for earlier, now in pairs)
        return Reading(throttled=(Throttling.OVER_CURRENT,) if risen else ())

    def close(self) -> None:
        for file in self._files:
            file.close()
