"""A Raspberry Pi's own account: ``vcgencmd``, and the kernel's under-voltage alarm where that is missing.

The bits of ``get_throttled`` are those of Raspberry Pi's documentation of vcgencmd: 0 to 3 hold now, 16 to 19 have
held at some time since the board was started.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from edgevision.runtime.telemetry.linux import plausible
from edgevision.runtime.telemetry.reading import Reading, Throttling, total_power
from edgevision.runtime.telemetry.system import RunTool, SystemFile, read_text

_BITS = (
    Throttling.UNDER_VOLTAGE,
    Throttling.FREQUENCY_CAPPED,
    Throttling.THROTTLED,
    Throttling.SOFT_TEMPERATURE_LIMIT,
)
_SINCE_START = 16
# Each question starts a process, which costs a few milliseconds of CPU.
_SECONDS_BETWEEN_QUESTIONS = 2.0


def parse_throttled(text: str) -> int | None:
    """The bits of ``throttled=0x50005``."""
    found = re.search(r"throttled=0x([0-9a-fA-F]{1,8})\b", text)
    return int(found[1], 16) if found else None


def throttled_now(bits: int) -> tuple[str, ...]:
    """What holds at this moment, in words."""
    return tuple(throttling for position, throttling in enumerate(_BITS) if bits >> position & 1)


def throttled_since_start(bits: int) -> tuple[str, ...]:
    """What has held since the board was started, in the same words."""
    return throttled_now(bits >> _SINCE_START)


def parse_temperature(text: str) -> float | None:
    """°C of ``temp=61.8'C``."""
    found = re.search(r"temp=(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)'C", text)
    return float(found[1]) if found else None


def parse_clock(text: str) -> float | None:
    """MHz of ``frequency(48)=1500398464``; the number in brackets differs between boards."""
    found = re.search(r"frequency\([0-9]+\)=([0-9]{1,12})\b", text)
    return int(found[1]) / 1e6 if found else None


def parse_power(text: str) -> dict[str, float]:
    """Watts by rail of ``pmic_read_adc``, for the rails whose current and voltage are both listed."""
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    pattern = r"^\s*(\S{1,40})_([AV])\s+(?:current|volt)\([0-9]+\)=([0-9]{1,4}(?:\.[0-9]{1,12})?)\2\s*$"
    for rail, unit, value in re.findall(pattern, text, re.MULTILINE):
        values[unit][rail] = float(value)
    return {rail: amperes * values["V"][rail] for rail, amperes in values["A"].items() if rail in values["V"]}


class RaspberryPi:
    """Asks ``vcgencmd`` every two seconds and repeats the answer between, except for the clock.

    The clock is what the firmware measures, where the kernel knows only what it asked for; a clock of two seconds ago
    beside a load of now would look like throttling.
    """

    def __init__(
        self, root: Path, run: RunTool, *, cores: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run, self._cores, self._clock = run, cores, clock
        self._due = clock()
        self._alarms = [
            SystemFile(device / "in0_lcrit_alarm")
            for device in sorted((root / "sys/class/hwmon").glob("hwmon*"))
            if read_text(device / "name") == "rpi_volt"
        ]
        self._has_zone = any((root / "sys/class/thermal").glob("thermal_zone*"))
        self.present = self._bits() is not None
        self.measures_clock = self.present and parse_clock(self._ask("measure_clock", "arm")) is not None
        self._measures_power = self.present and bool(parse_power(self._ask("pmic_read_adc")))
        self._answer = Reading()

    def expire(self) -> None:
        """Let the next reading ask anew, however short the time since the last."""
        self._due = self._clock()

    def read(self) -> Reading:
        if not self.present:
            alarm = any(file.number() == 1 for file in self._alarms)
            return Reading(throttled=(Throttling.UNDER_VOLTAGE,) if alarm else ())
        if self._clock() < self._due:
            return self._answer
        self._due = self._clock() + _SECONDS_BETWEEN_QUESTIONS
        bits = self._bits() or 0
        celsius = None if self._has_zone else parse_temperature(self._ask("measure_temp"))
        rails = parse_power(self._ask("pmic_read_adc")) if self._measures_power else {}
        self._answer = Reading(
            temperatures={} if celsius is None else plausible([("cpu", celsius)]),
            power_w=rails,
            total_power_w=total_power(rails),
            throttled=throttled_now(bits),
            occurred=throttled_since_start(bits),
        )
        mhz = parse_clock(self._ask("measure_clock", "arm")) if self.measures_clock else None
        return self._answer if mhz is None else self._answer.updated(cpu_mhz=(mhz,) * self._cores)

    def close(self) -> None:
        for file in self._alarms:
            file.close()

    def _bits(self) -> int | None:
        return parse_throttled(self._ask("get_throttled"))

    def _ask(self, *question: str) -> str:
        return self._run(("vcgencmd", *question)) or ""
