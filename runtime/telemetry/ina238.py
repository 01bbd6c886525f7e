"""The INA238 power monitor of Jetson AGX Thor, which measures what the whole board takes."""

from pathlib import Path

from edgevision.runtime.telemetry.power import total_power
from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile, read_text

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
