"""How long a board is waited for: a call that makes no progress is ended, whatever else the board says meanwhile."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

SILENCE_S = 20.0
"""Without a whole message or a piece of a file for so long, a board is given up; it gives a sign of life every 5 s."""

# How long each operation may take without progress, signs of life or not; what a job takes is the user's business.
_LONGEST_S: Mapping[str, float] = {
    "facts": 30.0,
    "missing": 30.0,
    "store": 300.0,
    "start": 120.0,
    "follow": math.inf,
    "fetch": 30.0,
    "stop": 30.0,
    "clear": 120.0,
}
_LONGEST_NAP_S = 1.0


class Watchdog:
    """Within its block calls ``give_up``, once, from another thread, when ``operation`` makes no progress in time.

    Time counts only :meth:`waiting` for the board: what this machine does with what came is not the board's fault.
    """

    def __init__(self, operation: str, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._longest = _LONGEST_S[operation]
        self._heard = self._progressed = self._paused = time.monotonic()
        self._waiting = False
        self._ended = threading.Event()
        self.waited_s: float | None = None
        """How long it had been waited in vain when it was given up; ``None`` while it was not."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While something is read from the board, or written to it."""
        elsewhere = time.monotonic() - self._paused
        self._heard += elsewhere
        self._progressed += elsewhere
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
            self._paused = time.monotonic()

    def heard(self) -> None:
        """There was a sign of life."""
        self._heard = self._paused

    def progressed(self) -> None:
        """There was progress: an answer that was asked for, or a piece of a file that went through."""
        self._heard = self._progressed = self._paused

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(min(_LONGEST_NAP_S, max(0.01, self._rest()))):
            if self._waiting and self._rest() <= 0:
                now = time.monotonic()
                silent = now - self._heard >= SILENCE_S
                self.waited_s = now - (self._heard if silent else self._progressed)
                with suppress(OSError):
                    self._give_up()
                return

    def _rest(self) -> float:
        """Seconds until it is given up, if it is waited for all the while."""
        return min(self._heard + SILENCE_S, self._progressed + self._longest) - time.monotonic()
