"""What a board did during a run, and whether the run can be trusted."""

from edgevision.records import Record, record
from edgevision.runtime.telemetry.board_state import BoardState
from edgevision.runtime.telemetry.findings import Finding
from edgevision.runtime.telemetry.reading import Reading


@record
class BoardReport(Record):
    """The telemetry of one run. A run with ``findings`` is marked: its figures may not be the board's.

    ``mean_power_w`` is weighted by time over all readings, and ``power_covers`` says of which loads.
    ``sampling_cpu_s`` is the CPU time that the sampling itself took.
    """

    board: str | None
    power_mode: str | None
    clocks_locked: bool | None
    before: BoardState
    after: BoardState
    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    mean_power_w: float | None
    power_covers: str | None
    sampling_cpu_s: float
