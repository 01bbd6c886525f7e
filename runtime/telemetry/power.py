"""Totals over power rails, and means over time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgevision.runtime.telemetry.reading import Reading

# Rails that feed all the others of their board: Jetson Nano; TX1, TX2, Xavier NX, Orin NX and Nano.
INPUT_RAILS = ("POM_5V_IN", "VDD_IN")
_PI_RAIL = "3V7_WL_SW"


def total_power(rails: Mapping[str, float]) -> float | None:
    """The input rail where there is one, else the sum of all; ``None`` without rails."""
    for rail in INPUT_RAILS:
        if rail in rails:
            return rails[rail]
    return sum(rails.values()) if rails else None


def power_covers(rails: Mapping[str, float]) -> str | None:
    """In words what :func:`total_power` of these rails covers.

    A Raspberry Pi measures behind its own regulators only, so what hangs on the 5 V of the supply is not in the sum.
    """
    for rail in INPUT_RAILS:
        if rail in rails:
            return f"{rail}, the input of the whole module"
    if not rails:
        return None
    missing = "; what USB and other 5 V loads take is not in it" if _PI_RAIL in rails else ""
    return f"the sum of the rails {', '.join(rails)}{missing}"


def mean_power(readings: Sequence[Reading]) -> float | None:
    """Watts, weighted by time: between two readings the power is taken to go in a straight line."""
    known = [(reading.time_s, reading.total_power_w) for reading in readings if reading.total_power_w is not None]
    if not known:
        return None
    seconds = known[-1][0] - known[0][0]
    if seconds <= 0:
        return known[-1][1]
    return sum((later - earlier) * (p + q) / 2 for (earlier, p), (later, q) in pairwise(known)) / seconds
