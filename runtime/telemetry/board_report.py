"""What a board did during a run, and whether the run can be trusted."""

from edgevision.core.records import Record, record
from edgevision.runtime.telemetry.board_state import BoardState
from edgevision.runtime.telemetry.findings import Finding
from edgevision.runtime.telemetry.reading import Reading


@record
class BoardReport(Record):
    """The telemetry of one run. A run with ``findings`` is marked: its figures may not be the board's.

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
