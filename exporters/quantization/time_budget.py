"""The time that ``export --int8`` may take, and what each stage gets of it."""

import math
import re
import time
from collections.abc import Callable
from enum import StrEnum

from edgevision.core.errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600}
_NUMBER = re.compile(r"(\d{1,6}(?:\.\d+)?)([smh])")
# What has to be left for writing and comparing, as a share of what there is after the model is read.
_FOR_WRITING = 0.05


class Stage(StrEnum):
    """What an export in int8 does, one after the other, in words for people."""

    READING = "reading the calibration data"
    PREPARING = "preparing the graph"
    CALIBRATING = "calibrating"
    RANKING = "ranking the operators"
    SEARCHING = "searching"
    FINETUNING = "finetuning"
    DECIDING = "measuring the verdict"
    INSPECTING = "looking at every layer"


# When each has to be done, as a share of what there is after the model is read. What one does not need is left to those
# behind it.
_ENDS = {
    Stage.READING: 0.15,
    Stage.PREPARING: 0.25,
    Stage.CALIBRATING: 0.45,
    Stage.RANKING: 0.52,
    Stage.SEARCHING: 0.70,
    Stage.FINETUNING: 0.85,
    Stage.DECIDING: 1 - _FOR_WRITING,
    Stage.INSPECTING: 1.0,
}

Show = Callable[[str, float, float], None]
"""Told the stage, the share of the time that is used up, 0..1, and about how many seconds may be left."""


class TimeBudget:
    """So many seconds by some clock, from now on, that the stages of an export share.

    Args:
        clock: in seconds; :func:`time.monotonic` for a promise, :func:`cpu_clock` where others should not count.
        show: told now and then how far it is.

    Attributes:
        stage: the one that has begun last.
        left_out: what there was no time for, in words for people.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, show: Show = lambda *_: None
    ) -> None:
        self._seconds, self._clock, self._show = seconds, clock, show
        self._start = self._loaded = clock()
        self._wall = time.monotonic()
        self.stage: Stage | None = None
        self.left_out: list[str] = []

    def begin(self, stage: Stage) -> None:
        """End the stage before; the first one begins when the model was read."""
        if self.stage is None:
            self._loaded = self._clock()
        self.stage = stage
        self._tell()

    @property
    def seconds_left(self) -> float:
        """Of the stage; none where it is late."""
        end = 1.0 if self.stage is None else _ENDS[self.stage]
        whole = self._start + self._seconds - self._loaded
        return max(0.0, self._loaded + end * whole - self._clock())

    def late(self) -> bool:
        """Whether the stage has had its time."""
        self._tell()
        return self.seconds_left <= 0

    def late_after(self, seconds: float) -> Callable[[], bool]:
        """Says from now on whether the stage has had so many seconds more, or is late."""
        until = self.seconds_left - seconds
        return lambda: self.late() or self.seconds_left <= until

    def _tell(self) -> None:
        used = self._clock() - self._start
        # What is left by the clock on the wall goes at the rate it went so far.
        rate = (time.monotonic() - self._wall) / used if used > 0 else 1.0
        left = max(0.0, self._seconds - used)
        if self.stage is not None:
            self._show(self.stage.value, min(1.0, used / self._seconds), left * max(1.0, rate))


def cpu_clock(threads: int) -> Callable[[], float]:
    """Seconds of this process's CPU time, as if it had no more than two threads.

    So a search does on a busy machine what it does on a quiet one, and on many cores as much as on two.
    """
    shared_by = max(1.0, threads / 2)
    return lambda: time.process_time() / shared_by


def parse_duration(text: str) -> float:
    """Seconds of ``30s``, ``3m``, ``1.5h`` or ``1h30m``.

    Raises:
        InputError: it is something else, or nothing.
    """
    parts = _NUMBER.findall(text)
    seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text or not seconds:
        raise InputError(f"--budget must be a time as 30s, 3m or 1h, not {text!r}")
    return seconds
