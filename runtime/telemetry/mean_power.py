"""The mean power of a run, and the rails that it is of."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgevision.runtime.telemetry.power import power_covers
from edgevision.runtime.telemetry.reading import Reading


def measured_rails(readings: Sequence[Reading]) -> Mapping[str, float]:
    """The rails of the reading that has the most: a tool that is still starting adds its own only to later ones."""
    return max((reading.power_w for reading in readings), key=len, default={})


def mean_power(readings: Sequence[Reading]) -> float | None:
    """Watts, weighted by time: between two readings the power is taken to go in a straight line.

    Readings whose total covers something else than that of the :func:`measured_rails` are left out.
    """
    covered = power_covers(measured_rails(readings))
    known = [
        (reading.time_s, reading.total_power_w)
        for reading in readings
        if reading.total_power_w is not None and power_covers(reading.power_w) == covered
    ]
    if not known:
        return None
    seconds = known[-1][0] - known[0][0]
    if seconds <= 0:
        return known[-1][1]
    return sum((later - earlier) * (p + q) / 2 for (earlier, p), (later, q) in pairwise(known)) / seconds
