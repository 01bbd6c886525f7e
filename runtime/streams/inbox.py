"""What waits between those who read frames and the one who answers: few frames, and of live sources the newest."""

from collections import deque
from collections.abc import Sequence
from threading import Condition

from edgevision.runtime.streams.frame import Frame

_WAITING = 4
"""Frames of a file that wait decoded; its reader waits when there are so many."""


class StoppedError(Exception):
    """Nobody takes frames any more."""


class Inbox:
    """Frames of several sources; safe for a thread each that puts, and one that takes.

    Attributes:
        dropped: of each source, how many frames gave way to newer ones.
    """

    def __init__(self, live: Sequence[bool]) -> None:
        """``live`` says of each source whether its newest frame wins; of the others every frame is kept."""
        self._live = tuple(live)
        self._waiting: list[deque[Frame]] = [deque() for _ in live]
        self._open = set(range(len(self._live)))
        self._changed = Condition()
        self._stopped = False
        self.dropped = [0] * len(self._live)

    def put(self, frame: Frame) -> None:
        """Leave a frame; of a file it waits until there is room. :class:`StoppedError` when nobody takes it."""
        with self._changed:
            waiting = self._waiting[frame.source]
            if self._live[frame.source]:
                self.dropped[frame.source] += len(waiting)
                waiting.clear()
            else:
                self._changed.wait_for(lambda: len(waiting) < _WAITING or self._stopped)
            if self._stopped:
                raise StoppedError
            waiting.append(frame)
            self._changed.notify_all()

    def finish(self, source: int) -> None:
        """Nothing more comes of that source."""
        with self._changed:
            self._open.discard(source)
            self._changed.notify_all()

    def take(self) -> list[Frame]:
        """The next frame of every source that has one, at least one altogether; empty when all are finished."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._waiting) or not self._open or self._stopped)
            if self._stopped:
                return []
            taken = [waiting.popleft() for waiting in self._waiting if waiting]
            self._changed.notify_all()
            return taken

    def stop(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
