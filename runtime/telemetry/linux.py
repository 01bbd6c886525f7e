"""What any Linux tells of a board: its name, memory, temperatures, events that hold it back, warnings."""

import re
from collections.abc import Iterable
from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading, Throttling
from edgevision.runtime.telemetry.system import SystemFile, read_text

# A sensor that is switched off reads -256 °C on Jetson; nothing that runs is as cold as this or as hot.
_COLDEST, _HOTTEST = -60.0, 200.0
# Jetson's PMIC "sensor" is a constant, 100 °C or 50 °C.
_CONSTANT_SENSOR = "PMIC"
# Zones of the CPU itself, as against those of the mainboard or the radio.
_CPU_ZONE = re.compile(r"cpu|x86_pkg_temp", re.IGNORECASE)
# A PC's CPU: the first input of each of these is the whole package.
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower")
# Cooling by slowing down, as the drivers name it; the others are fans and chargers.
_SLOWING = re.compile(r"cpu|gpu|processor|devfreq|powerclamp|throttle", re.IGNORECASE)

_COUNTERS = (
    ("sys/class/hwmon/hwmon*/oc[0-9]*_event_cnt", Throttling.OVER_CURRENT),  # Jetson
    # Intel: core_throttle_count and package_throttle_count; what it counts is also logged, but few may read the log.
    ("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count", Throttling.THERMAL_COOLING),
)

_WARNINGS = (
    r"Under-?voltage detected!",  # Raspberry Pi
    r"soctherm: OC ALARM 0x[0-9a-fA-F]{1,8}",  # Jetson
    r"CPU[0-9]{1,4}: (?:Core|Package) temperature (?:is )?above threshold, cpu clock (?:is )?throttled",  # PCs
)
_WARNING = re.compile(rf"^\[\s*([0-9]{{1,12}}\.[0-9]{{1,9}})\].*?({'|'.join(_WARNINGS)})", re.MULTILINE)


def parse_model(cpuinfo: str) -> str | None:
    """The ``Model`` line of ``/proc/cpuinfo``. ``Hardware`` is no name: it says BCM2835 on a Raspberry Pi 5."""
    found = re.search(r"^Model\s*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def board_name(root: Path) -> str | None:
    """The device tree's model, or what the kernel says beside the processors; ``None`` on a PC."""
    return read_text(root / "proc/device-tree/model") or parse_model(read_text(root / "proc/cpuinfo") or "")


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


def plausible(sensors: Iterable[tuple[str, float]]) -> dict[str, float]:
    """°C by sensor without the placeholders of absent sensors; a second sensor of one name gets a number."""
    found: dict[str, float] = {}
    for name, celsius in sensors:
        if name.upper() == _CONSTANT_SENSOR or not _COLDEST < celsius < _HOTTEST:
            continue
        unique, count = name, 1
        while unique in found:
            count += 1
            unique = f"{name} {count}"
        found[unique] = celsius
    return found


class Temperatures:
    """Every readable thermal zone, and the CPU's own sensor where none of them is the CPU's.

    A zone is named by its type up to the first hyphen: ``cpu-thermal`` and ``CPU-therm`` are ``cpu`` and ``CPU``.
    """

    def __init__(self, root: Path) -> None:
        thermal = root / "sys/class/thermal"
        zones = sorted(thermal.glob("thermal_zone*"))
        self._sensors = [
            (name, SystemFile(zone / "temp"))
            for zone in zones
            if (name := (read_text(zone / "type") or zone.name).partition("-")[0])
        ]
        if not any(_CPU_ZONE.match(name) for name, _ in self._sensors):
            for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
                if read_text(device / "name") in _CPU_SENSORS:
                    self._sensors.append(("cpu", SystemFile(device / "temp1_input")))
        self._cooling = [
            SystemFile(device / "cur_state")
            for device in sorted(thermal.glob("cooling_device*"))
            if _SLOWING.search(read_text(device / "type") or "")
        ]

    def read(self) -> Reading:
        milli = [(name, file.number()) for name, file in self._sensors]
        cooling = any((file.number() or 0) > 0 for file in self._cooling)
        return Reading(
            temperatures=plausible((name, value / 1000) for name, value in milli if value is not None),
            throttled=(Throttling.THERMAL_COOLING,) if cooling else (),
        )

    def close(self) -> None:
        for file in (*(file for _, file in self._sensors), *self._cooling):
            file.close()


class EventCounters:
    """Says what has happened when a counter of it has risen since the reading before."""

    def __init__(self, root: Path) -> None:
        self._files = [
            (throttling, SystemFile(path)) for pattern, throttling in _COUNTERS for path in sorted(root.glob(pattern))
        ]
        self._before = [file.number() for _, file in self._files]

    def read(self) -> Reading:
        before, self._before = self._before, [file.number() for _, file in self._files]
        risen = [
            throttling
            for (throttling, _), earlier, now in zip(self._files, before, self._before, strict=True)
            if earlier is not None and now is not None and now > earlier
        ]
        return Reading(throttled=tuple(dict.fromkeys(risen)))

    def close(self) -> None:
        for _, file in self._files:
            file.close()


def parse_warnings(log: str) -> tuple[str, ...]:
    """The lines of ``dmesg`` that tell of too little voltage, too much current or heat.

    Each is given as "message (seconds since the start of the kernel)".
    """
    return tuple(f"{message} ({seconds} s)" for seconds, message in _WARNING.findall(log))
