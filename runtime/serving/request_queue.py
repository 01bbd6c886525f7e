"""What waits for a model: few requests, those that can go through the network together as one batch."""

import time
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import Any

from edgevision.imaging.picture_formats import PictureFormat
from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.tasks.served import Inputs, Values


@dataclass(eq=False, kw_only=True)
class Waiting:
    """A request that waits for its answer.

    Attributes:
        inputs, values: its files and options.
        group: equal for requests that may be answered together.
        kind: the format of the answer; ``None`` where it is a document only.
        document: whether that is wanted.
        deadline: until when, on :func:`time.monotonic`'s clock, somebody waits.
        loop, future: where the answer is waited for.
        cancelled: set when nobody waits any more.
        arrived: when it came.
    """

    inputs: Inputs
    values: Values
    group: Hashable
    kind: PictureFormat | None
    document: bool
    deadline: float
    loop: AbstractEventLoop
    future: "Future[Any]"
    cancelled: Event = field(default_factory=Event)
    arrived: float = field(default_factory=time.monotonic)

    @property
    def abandoned(self) -> bool:
        """Whether its answer is of no use: the client has gone, or its time is over."""
        return self.cancelled.is_set() or time.monotonic() > self.deadline


class Admission:
    """How many requests may be open at once for a task; for the thread of the event loop only.

    Attributes:
        places: so many.
        open: how many there are.
        coming: of how many the body is still being received.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self.open = 0
        self.coming = 0
        self._seconds_each = 0.0

    def enter(self) -> None:
        """A request begins to arrive; :class:`RefusalError` where there is no place for it."""
        if self.open >= self.places:
            seconds = max(1, round(self._seconds_each * self.places))
            raise RefusalError(
                429,
                "busy",
                f"{self.places} requests are waiting here already; try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )
        self.open += 1

    def leave(self) -> None:
        """It is answered, or will not be."""
        self.open -= 1

    def took(self, seconds: float) -> None:
        """How long the model worked on one, for what is said to those who have to come again."""
        self._seconds_each += 0.2 * (seconds - self._seconds_each)


class RequestQueue:
    """Requests for one model; safe for any number of threads.

    Attributes:
        largest_batch: how many are taken together at most, which may change; only powers of two are.
    """

    def __init__(self, *, longest_wait: float, coming: Callable[[], int]) -> None:
        """Use ``coming``, which says how many requests are on their way.

        ``longest_wait`` is for how many seconds a batch that is not full waits for those.
        """
        self.largest_batch = 1
        self._longest_wait = longest_wait
        self._coming = coming
        self._waiting: deque[Waiting] = deque()
        self._changed = Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, request: Waiting) -> None:
        """Leave a request; :class:`RefusalError` where the queue is closed."""
        with self._changed:
            if self._closed:
                raise RefusalError(503, "closing", "the server is about to end", {"Retry-After": "5"})
            self._waiting.append(request)
            self._changed.notify()

    def take(self) -> list[Waiting]:
        """The next requests, of one group; empty when the queue is closed and all are taken."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return []
                if self.largest_batch > 1 and self._longest_wait:
                    # Who is alone never waits: only what is on its way already can fill a batch.
                    self._changed.wait_for(
                        lambda: not self._coming() or len(self._waiting) >= self.largest_batch, self._longest_wait
                    )
                if taken := self._next():
                    return taken

    def _next(self) -> list[Waiting]:
        wanted = [one for one in self._waiting if not one.abandoned]
        alike = [one for one in wanted if one.group == wanted[0].group]
        taken = alike[: 1 << min(len(alike), self.largest_batch).bit_length() - 1] if alike else []
        self._waiting = deque(one for one in wanted if one not in taken)
        return taken

    def close(self) -> None:
        """Take no more; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
