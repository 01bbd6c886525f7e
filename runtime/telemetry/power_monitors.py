"""The power monitors of Jetson boards: INA3221 with three rails each, INA238 on an AGX Thor for the whole board.

Newer kernels show an INA3221 by the hwmon interface (voltage in mV and current in mA; Documentation/hwmon/ina3221.rst),
JetPack 4 by its own industrial-I/O driver, which gives the power in mW as well.
"""

import re
from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading, Throttling, total_power
from edgevision.runtime.telemetry.system import SystemFile, read_text, whole_number

# The chip's further inputs are shunt voltages and their sum.
_CHANNELS = (1, 2, 3)
_NOT_CONNECTED = "NC"


class Ina3221:
    """Watts by rail, and whether one of them exceeds the current that it is allowed."""

    def __init__(self, root: Path) -> None:
        self._rails: dict[str, _Rail] = {}
        for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
            if (read_text(device / "name") or "").startswith("ina3221"):
                for channel in _CHANNELS:
                    self._add(read_text(device / f"in{channel}_label"), _hwmon_rail(device, channel))
        for device in sorted((root / "sys/bus/iio/devices").glob("iio:device*")):
            for channel in (0, *_CHANNELS):  # counted from 0
                self._add(read_text(device / f"rail_name_{channel}"), _iio_rail(device, channel))

    def _add(self, name: str | None, rail: "_Rail") -> None:
        if name and name != _NOT_CONNECTED and name not in self._rails:
            self._rails[name] = rail
        else:
            rail.close()

    def read(self) -> Reading:
        watts = {name: rail.watts() for name, rail in self._rails.items()}
        known = {name: value for name, value in watts.items() if value is not None}
        over = any(rail.over_current() for rail in self._rails.values())
        return Reading(
            power_w=known, total_power_w=total_power(known), throttled=(Throttling.OVER_CURRENT,) if over else ()
        )

    def close(self) -> None:
        for rail in self._rails.values():
            rail.close()


class _Rail:
    def __init__(self, volts: Path, amperes: Path, limit: int | None, alarms: tuple[Path, ...]) -> None:
        self._millivolts, self._milliamperes = SystemFile(volts), SystemFile(amperes)
        self._limit = limit
        self._alarms = [SystemFile(path) for path in alarms]

    def watts(self) -> float | None:
        millivolts, milliamperes = self._millivolts.number(), self._milliamperes.number()
        return None if millivolts is None or milliamperes is None else millivolts * milliamperes / 1e6

    def over_current(self) -> bool:
        milliamperes = self._milliamperes.number() if self._limit else None
        above = milliamperes is not None and self._limit is not None and milliamperes > self._limit
        return above or any(alarm.number() == 1 for alarm in self._alarms)

    def close(self) -> None:
        for file in (self._millivolts, self._milliamperes, *self._alarms):
            file.close()


def _hwmon_rail(device: Path, channel: int) -> _Rail:
    current = f"curr{channel}"
    return _Rail(
        device / f"in{channel}_input",
        device / f"{current}_input",
        None,
        (device / f"{current}_max_alarm", device / f"{current}_crit_alarm"),
    )


def _iio_rail(device: Path, channel: int) -> _Rail:
    limit = re.match(r"\s*([0-9]{1,9})\b", read_text(device / f"crit_current_limit_{channel}") or "")
    return _Rail(
        device / f"in_voltage{channel}_input",
        device / f"in_current{channel}_input",
        whole_number(limit[1]) if limit else None,
        (),
    )


# As tegrastats calls it; the driver gives it no name (Documentation/hwmon/ina238.rst).
_RAIL = "VIN"


class Ina238:
    """``power1_input``, in µW, of the first hwmon device that is one."""

    def __init__(self, root: Path) -> None:
        devices = sorted((root / "sys/class/hwmon").glob("hwmon*"))
        found = next((device for device in devices if read_text(device / "name") == "ina238"), None)
        self._microwatts = None if found is None else SystemFile(found / "power1_input")

    def read(self) -> Reading:
        microwatts = None if self._microwatts is None else self._microwatts.number()
        rails = {} if microwatts is None else {_RAIL: microwatts / 1e6}
        return Reading(power_w=rails, total_power_w=total_power(rails))

    def close(self) -> None:
        if self._microwatts is not None:
            self._microwatts.close()
