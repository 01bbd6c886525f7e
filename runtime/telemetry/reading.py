"""The state of a board at one moment."""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields

from edgevision.core.records import Record, record
from edgevision.runtime.telemetry.power import total_power


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


_NAMES = tuple(known.name for known in fields(Reading) if known.name not in ("extra", "time_s", "total_power_w"))
_WORDS = ("throttled", "occurred")


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
            elif name in _WORDS and isinstance(known, tuple):
                found[name] = tuple(dict.fromkeys((*known, *value)))
            else:
                found[name] = value
    reading = Reading(time_s=time_s).updated(**found)
    return reading.updated(total_power_w=total_power(reading.power_w))
