"""Thermal zones, CPU sensors, and whether the kernel is cooling by slowing down."""

import re
from collections.abc import Iterable
from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile, read_text
from edgevision.runtime.telemetry.throttling import Throttling

# A sensor that is switched off reads -256 °C on Jetson; nothing that runs is as cold as this or as hot.
COLDEST, HOTTEST = -60.0, 200.0
# Jetson's PMIC "sensor" is a constant, 100 °C or 50 °C.
_CONSTANT = "PMIC"
# Zones of the CPU itself, as against those of the mainboard or the radio.
_CPU_ZONE = re.compile(r"cpu|x86_pkg_temp", re.IGNORECASE)
# A PC's CPU: the first input of each of these is the whole package.
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower")
# Cooling by slowing down, as the drivers name it; the others are fans and chargers.
_SLOWING = re.compile(r"cpu|gpu|processor|devfreq|powerclamp|throttle", re.IGNORECASE)


def plausible(sensors: Iterable[tuple[str, float]]) -> dict[str, float]:
    """°C by sensor without the placeholders of absent sensors; a second sensor of one name gets a number."""
    found: dict[str, float] = {}
    for name, celsius in sensors:
        if name.upper() == _CONSTANT or not COLDEST < celsius < HOTTEST:
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
