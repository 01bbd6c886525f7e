"""What a board did during a run, and whether the run can be trusted."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgevision.core.records import Record, record
from edgevision.runtime.telemetry.findings import Finding
from edgevision.runtime.telemetry.reading import BoardState, Reading, power_covers


@record
class BoardReport(Record):
    """The telemetry of one run. A run with ``findings`` is unreliable: its figures may not be the board's.

    ``board`` is its name in its own words, ``software`` a Jetson's release of Linux for Tegra, ``power_mode`` and
    ``clocks_locked`` what was set before the run. ``mean_power_w`` is weighted by time over all readings, and
    ``power_covers`` says of which loads it is. ``sampling_cpu_s`` is the CPU time of the sampling thread.
    """

    board: str | None = None
    software: str | None = None
    power_mode: str | None = None
    clocks_locked: bool | None = None
    before: BoardState
    after: BoardState
    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    mean_power_w: float | None = None
    power_covers: str | None = None
    sampling_cpu_s: float = 0.0


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
