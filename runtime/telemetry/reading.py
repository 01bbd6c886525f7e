"""The state of a board: one reading among many, what is asked before and after a run only, the power of its rails."""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from enum import StrEnum

from edgevision.core.records import Record, record

# Rails that feed all the others, and of what: Jetson Nano; TX1, TX2, Xavier NX, Orin NX and Nano; AGX Thor.
INPUT_RAILS = {"POM_5V_IN": "module", "VDD_IN": "module", "VIN": "board"}
_PI_RAIL = "3V7_WL_SW"


class Throttling(StrEnum):
    """What holds back a board.

    The first four are the firmware's of a Raspberry Pi, and "frequency capped" any lowered limit of the clock.
    """

    UNDER_VOLTAGE = "under-voltage"
    FREQUENCY_CAPPED = "frequency capped"
    THROTTLED = "throttled"
    SOFT_TEMPERATURE_LIMIT = "soft temperature limit"
    THERMAL_COOLING = "thermal cooling"
    OVER_CURRENT = "over-current"


@record
class Reading(Record):
    """One moment. What the board does not tell is ``None`` or empty; nothing is estimated in its place.

    ``time_s`` counts from the beginning of the sampling. ``cpu_mhz`` has one value for each online core, ``governors``
    one for each cpufreq policy, empty while its cores are offline. ``temperatures`` are °C by sensor.
    ``memory_available_mb`` is in MB of 2^20 bytes.

    ``cpu_busy`` is the share (0..1) of all cores' time since the reading before that any work of this machine took,
    ``cpu_own`` the part of this process and its descendants, ``cpu_steal`` what the hypervisor gave to other machines
    (not counted in ``cpu_busy``). ``gpu_load`` is 0..1.

    ``power_w`` is by rail; ``total_power_w`` is the input rail where the board measures one and else the sum.
    ``throttled`` says in words what holds back the board now, ``occurred`` what it remembers since it was started.
    """

    time_s: float = 0.0
    cpu_mhz: tuple[float, ...] = ()
    governors: tuple[str, ...] = ()
    temperatures: Mapping[str, float] = field(default_factory=dict)
    memory_available_mb: float | None = None
    cpu_busy: float | None = None
    cpu_own: float | None = None
    cpu_steal: float | None = None
    gpu_mhz: float | None = None
    gpu_load: float | None = None
    power_w: Mapping[str, float] = field(default_factory=dict)
    total_power_w: float | None = None
    throttled: tuple[str, ...] = ()
    occurred: tuple[str, ...] = ()


@record
class BoardState(Record):
    """``cores`` are those online, ``governors`` the distinct ones. ``clocks_locked`` says whether the clocks are pinned
    (``jetson_clocks``).

    ``throttled`` and ``occurred`` are as in a :class:`Reading`; ``occurred`` is ``None`` where the board keeps no such
    memory, which is not the same as remembering nothing. ``kernel_warnings`` are the lines of the kernel's log that
    tell of voltage, current or heat; none where the log may not be read.
    """

    cores: int | None = None
    governors: tuple[str, ...] = ()
    power_mode: str | None = None
    clocks_locked: bool | None = None
    throttled: tuple[str, ...] = ()
    occurred: tuple[str, ...] | None = None
    kernel_warnings: tuple[str, ...] = ()


_NAMES = tuple(known.name for known in fields(Reading) if known.name not in ("extra", "time_s", "total_power_w"))
_THROTTLING = ("throttled", "occurred")


def combine(time_s: float, parts: Iterable[Reading]) -> Reading:
    """What several sources say of one moment, as one reading. Where two give the same figure the later one is kept."""
    found: dict[str, object] = {}
    for part in parts:
        for name in _NAMES:
            value = getattr(part, name)
            if value in (None, (), {}):
                continue
            known = found.get(name)
            if isinstance(value, Mapping):
                found[name] = {**known, **value} if isinstance(known, Mapping) else value
            elif name in _THROTTLING and isinstance(known, tuple):
                found[name] = tuple(dict.fromkeys((*known, *value)))
            else:
                found[name] = value
    reading = Reading(time_s=time_s).updated(**found)
    return reading.updated(total_power_w=total_power(reading.power_w))


def total_power(rails: Mapping[str, float]) -> float | None:
    """The input rail where there is one, else the sum of all; ``None`` without rails."""
    rail = _input_rail(rails)
    if rail is not None:
        return rails[rail]
    return sum(rails.values()) if rails else None


def power_covers(rails: Mapping[str, float]) -> str | None:
    """In words what :func:`total_power` of these rails covers.

    A Raspberry Pi measures behind its own regulators only, so what hangs on the 5 V of the supply is not in the sum.
    """
    rail = _input_rail(rails)
    if rail is not None:
        return f"{rail}, the input of the whole {INPUT_RAILS[rail]}"
    if not rails:
        return None
    missing = "; what USB and other 5 V loads take is not in it" if _PI_RAIL in rails else ""
    return f"the sum of the rails {', '.join(rails)}{missing}"


def _input_rail(rails: Mapping[str, float]) -> str | None:
    return next((rail for rail in INPUT_RAILS if rail in rails), None)
