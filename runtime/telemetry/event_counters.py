"""The kernel's counters of events that hold back a board."""

from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile
from edgevision.runtime.telemetry.throttling import Throttling

_COUNTERS = (
    ("sys/class/hwmon/hwmon*/oc[0-9]*_event_cnt", Throttling.OVER_CURRENT),  # Jetson
    # Intel: core_throttle_count and package_throttle_count; what it counts is also logged, but few may read the log.
    ("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count", Throttling.THERMAL_COOLING),
)


class EventCounters:
    """Says what has happened when a counter of it has risen since the reading before."""

    def __init__(self, root: Path) -> None:
        self._files = [(word, SystemFile(path)) for pattern, word in _COUNTERS for path in sorted(root.glob(pattern))]
        self._before = [file.number() for _, file in self._files]

    def read(self) -> Reading:
        before, self._before = self._before, [file.number() for _, file in self._files]
        risen = [
            word
            for (word, _), earlier, now in zip(self._files, before, self._before, strict=True)
            if earlier is not None and now is not None and now > earlier
        ]
        return Reading(throttled=tuple(dict.fromkeys(risen)))

    def close(self) -> None:
        for _, file in self._files:
            file.close()
