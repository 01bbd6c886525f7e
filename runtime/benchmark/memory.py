"""What a model takes of this process's memory, where the system tells (Linux)."""

from pathlib import Path

from edgevision.core.process_memory import resident_mb
from edgevision.core.records import Record, record

_SELF = Path("/proc/self")


@record
class MemoryUse(Record):
    """By how much this process's resident memory grew for one subject, in MB of 2^20 bytes.

    ``steady_mb`` is what it held after the warm-up, ``peak_mb`` the most at any moment of loading and warming up,
    beyond what there was before. Both include the inputs, and for the first subject of an engine its library.
    """

    steady_mb: float
    peak_mb: float | None


class MemoryWatch:
    """Begins where it is made; :meth:`seen` tells what was added since."""

    def __init__(self) -> None:
        self._resident = resident_mb("VmRSS")
        self._knows_peak = _forget_peak()

    def seen(self) -> MemoryUse | None:
        """The growth until now; ``None`` where the system does not tell."""
        resident, peak = resident_mb("VmRSS"), resident_mb("VmHWM")
        if resident is None or self._resident is None:
            return None
        above = peak - self._resident if peak is not None and self._knows_peak else None
        return MemoryUse(steady_mb=resident - self._resident, peak_mb=above)


def _forget_peak() -> bool:
    """Let the peak start again from what is resident now (proc(5), clear_refs)."""
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return False
    return True
