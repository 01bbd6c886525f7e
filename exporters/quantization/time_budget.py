"""The time that ``export --int8`` may take, and what each stage gets of it."""

import math
import re
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum

from edgevision.core.errors import InputError
from edgevision.exporters.engine_process import OutOfTimeError, engine_process

_UNITS = {"s": 1, "m": 60, "h": 3600}
_NUMBER = re.compile(r"(\d{1,6}(?:\.\d+)?)([smh])")


class Stage(StrEnum):
    """What an export in int8 does, one after the other, in words for people."""

    READING = "reading the calibration data"
    PREPARING = "preparing the graph"
    CALIBRATING = "calibrating"
    JUDGING = "judging the float model"
    SEARCHING = "searching"
    FINETUNING = "finetuning"
    DECIDING = "measuring the verdict"
    INSPECTING = "looking at every layer"
    WRITING = "writing and comparing"


# What each needs beside the others, by the time that they took of a classifier, a denoiser, a super-resolution and a
# generator where nothing cut them short; the most that any of them took counts.
_WEIGHTS = {
    Stage.READING: 2,
    Stage.PREPARING: 6,
    Stage.CALIBRATING: 18,
    # Every candidate takes as long.
    Stage.JUDGING: 10,
    Stage.SEARCHING: 48,
    Stage.FINETUNING: 25,
    Stage.DECIDING: 25,
    Stage.INSPECTING: 8,
    Stage.WRITING: 5,
}

# Of the share of the verdict and of the file.
_KEPT_BACK = 0.6
# As reading the model, for writing it at least.
_AS_LONG = 0.4
# Of the time until a program was up, for its end.
_SHARE_OF_END = 0.45

Show = Callable[[str, float, float], None]
"""Told the stage, the share of the time that is used up, 0..1, and about how many seconds may be left."""


class TimeBudget:
    """So many seconds by some clock, from now on, that the stages of an export share.

    A stage has as much of what is left when it begins as it weighs among those that are still to come. It is late where
    there is no time for another step as long as the last one, and stays so. What the verdict and the file need at least
    is kept back: nothing is over before the rest is used up to there.

    Args:
        clock: in seconds; :func:`time.monotonic` for a promise, :func:`cpu_clock` where others should not count.
        stages: those that there will be, or some of them; others take no share.
        spent: seconds that are gone already.
        show: told now and then how far it is.

    Attributes:
        stage: the one that has begun last.
        left_out: what there was no time for, in words for people.
        cut_short: whether something was told that the stage is late.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        show: Show = lambda *_: None,
        *,
        stages: Collection[Stage] = tuple(Stage),
        spent: float = 0.0,
    ) -> None:
        self._seconds, self._clock, self._show = seconds - _SHARE_OF_END * spent, clock, show
        self._start = clock() - spent
        self._end = self._start + seconds
        self._stages = stages
        self._wall = time.monotonic() - spent
        self._asked: float | None = None
        self._step = self._longest_step = 0.0
        self._reading = 0.0
        self.stage: Stage | None = None
        self.left_out: list[str] = []
        self.cut_short = False

    @contextmanager
    def enforced(self, kept: float) -> Iterator[None]:
        """End what is done meanwhile, which cannot be asked to be quick, when a promise on the clock would be broken.

        It does nothing where other time than that on the wall is bounded, outside of the main thread, and on Windows.

        Args:
            kept: which share (0..1) of what is kept back for writing is left then; while the model is read, that is
                in proportion to what reading has taken.

        Raises:
            OutOfTimeError: it was ended.
        """
        promised = self._clock is time.monotonic and hasattr(signal, "setitimer")
        if not promised or threading.current_thread() is not threading.main_thread():
            yield
            return
        begun, before = time.monotonic(), signal.signal(signal.SIGALRM, _raise_over)
        left = self._start + self._seconds - begun
        if self.stage is None:
            seconds = left - self._seconds * (1 - 1 / (1 + kept * _AS_LONG))
        else:
            seconds = left - kept * (left - self.seconds_before_writing)
        around, _ = signal.setitimer(signal.ITIMER_REAL, max(1e-3, seconds))
        try:
            yield
        except _Over:
            raise OutOfTimeError("there is no time left") from None
        finally:
            rest = max(1e-3, around - (time.monotonic() - begun)) if around else 0.0
            signal.setitimer(signal.ITIMER_REAL, rest)
            signal.signal(signal.SIGALRM, before)

    def begin(self, stage: Stage) -> None:
        """End the stage before."""
        now = self._clock()
        if stage is Stage.READING:
            self._reading = now - self._start
        to_come = [one for one in list(Stage)[list(Stage).index(stage) :] if one in self._stages or one is stage]
        share = _WEIGHTS[stage] / sum(_WEIGHTS[one] for one in to_come)
        self._end = now + share * max(0.0, self._start + self._seconds - now)
        self.stage, self.cut_short = stage, False
        self._asked, self._step, self._longest_step = None, 0.0, 0.0
        self._tell()

    @property
    def seconds_left(self) -> float:
        """Of the stage; none where it is late."""
        return max(0.0, self._end - self._clock())

    def late(self) -> bool:
        """Whether the stage has no time for a step like the one that was done since this was asked last."""
        self._tell()
        now = self._clock()
        if self._asked is not None:
            self._step = now - self._asked
            self._longest_step = max(self._longest_step, self._step)
        self._asked = now
        self.cut_short = self.cut_short or self.seconds_left <= self._step
        return self.cut_short

    @property
    def seconds_before_verdict(self) -> float:
        """Of all that is left, without what is kept back for the verdict and for writing."""
        return self._seconds_before(Stage.DECIDING, Stage.WRITING)

    @property
    def seconds_before_writing(self) -> float:
        """Of all that is left, without what is kept back for writing."""
        return self._seconds_before(Stage.WRITING)

    def _seconds_before(self, *stages: Stage) -> float:
        weights = {stage: _WEIGHTS[stage] for stage in self._stages}
        kept = sum(weights.get(stage, 0) for stage in stages)
        reserve = _KEPT_BACK * self._seconds * kept / max(1, sum(weights.values()))
        # Where reading the model was slow, writing and comparing it will be.
        return max(0.0, self._start + self._seconds - max(reserve, _AS_LONG * self._reading) - self._clock())

    def too_slow(self) -> bool:
        """Whether what has to be done for any verdict may take longer than there is, were it as long as it took to read
        the model."""
        return self.seconds_before_verdict < self._reading

    def seconds_for(self, work: Callable[[], object]) -> float:
        """How many it takes to do ``work``, which is done."""
        before = self._clock()
        work()
        return self._clock() - before

    def over(self) -> bool:
        """Whether not even what has to be done may be begun: a step as long as the stage's longest would not end before
        what is kept back."""
        self.late()
        return self.seconds_before_verdict <= self._longest_step

    def late_after(self, seconds: float) -> Callable[[], bool]:
        """Says from now on whether the stage is late, or has no time for another step within so many seconds."""
        until = self._clock() + seconds
        over = False

        def late() -> bool:
            nonlocal over
            over = self.late() or over or self._clock() + self._step > until
            return over

        return late

    def _tell(self) -> None:
        used = self._clock() - self._start
        # What is left by the clock on the wall goes at the rate it went so far.
        rate = (time.monotonic() - self._wall) / used if used > 0 else 1.0
        left = max(0.0, self._seconds - used)
        if self.stage is not None:
            self._show(self.stage.value, min(1.0, used / self._seconds), left * max(1.0, rate))


class _Over(BaseException):
    """No :class:`Exception`, which some libraries answer with another attempt."""


def _raise_over(*_of_a_signal: object) -> None:
    raise _Over


def cpu_clock(threads: int) -> Callable[[], float]:
    """Seconds of CPU time of this process and of that of its candidates, as if they had no more than two threads.

    So a search does on a busy machine what it does on a quiet one, and on many cores as much as on two.
    """
    shared_by = max(1.0, threads / 2)
    candidates = engine_process()
    return lambda: (time.process_time() + candidates.cpu_seconds) / shared_by


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
