"""From sources through a model to what takes the answers: three stages in threads of their own, in bounded queues."""

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, NamedTuple

from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.streams.inbox import Inbox, StoppedError
from edgevision.runtime.streams.source import FrameSource

_ANSWERS_WAITING = 4

_FROZEN_SECONDS = 10.0


class Answered(NamedTuple):
    """A frame, what was answered, and when, on :func:`time.monotonic`'s clock, its answer was begun and there."""

    frame: Frame
    answer: Any
    begun: float
    done: float


@dataclass
class Flow:
    """How much went through.

    Attributes:
        frames: of each source, how many were answered.
        dropped: of each source, how many gave way to newer ones.
        seconds: from the first frame that was taken to the end.
        failures: of each source, what ended it early.
    """

    frames: list[int]
    dropped: list[int] = field(default_factory=list)
    seconds: float = 0.0
    failures: dict[int, Exception] = field(default_factory=dict)


def pump(
    sources: Sequence[FrameSource],
    answer: Callable[[list[Frame]], Sequence[Any]],
    deliver: Callable[[Answered], None],
    flow: Flow | None = None,
) -> Flow:
    """Send the frames of ``sources`` through ``answer``, and what that gives to ``deliver``, in order.

    Each source is read, and everything is delivered, in a thread of its own; ``answer`` is called in this one, with
    the next frame of every source that has one, and gives as many answers. Of a live source it gets the newest frame,
    of others every frame. What is in work when it ends, by an error or Ctrl-C too, is delivered before that is raised.

    A source that fails ends alone; that is among the flow's failures. A ``flow`` that is given is filled and returned,
    so that it can be looked at after Ctrl-C, too.
    """
    inbox = Inbox([source.live for source in sources])
    flow = flow or Flow(frames=[])
    flow.frames, flow.dropped = [0] * len(sources), inbox.dropped
    delivery = _Delivery(deliver)
    readers = [
        Thread(target=_read, args=(number, source, inbox, flow), name=f"read {source.name}", daemon=True)
        for number, source in enumerate(sources)
    ]
    started = time.monotonic()
    for thread in readers:
        thread.start()
    try:
        while frames := inbox.take():
            begun = time.monotonic()
            answers = answer(frames)
            done = time.monotonic()
            for frame, given in zip(frames, answers, strict=True):
                delivery.put(Answered(frame, given, begun, done))
                flow.frames[frame.source] += 1
    finally:
        inbox.stop()
        for source in sources:
            if source.live:
                source.close()
        delivery.finish()
        for thread, source in zip(readers, sources, strict=True):
            # A file's reader is about to end; that of a camera that froze may wait for it a while.
            thread.join(_FROZEN_SECONDS if source.live else None)
        flow.seconds = time.monotonic() - started
    return flow


def _read(number: int, source: FrameSource, inbox: Inbox, flow: Flow) -> None:
    try:
        with closing(source.frames()) as frames:
            for frame in frames:
                inbox.put(frame)
    except StoppedError:
        pass
    except Exception as error:  # told by the thread that asked for the frames
        flow.failures[number] = error
    finally:
        inbox.finish(number)


class _Delivery:
    """The thread that delivers."""

    def __init__(self, deliver: Callable[[Answered], None]) -> None:
        self._deliver = deliver
        self._waiting: queue.Queue[Answered | None] = queue.Queue(_ANSWERS_WAITING)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="deliver", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (answered := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._deliver(answered)
                except BaseException as error:  # raised where the next answer is brought
                    self._error = error

    def put(self, answered: Answered) -> None:
        """Hand over an answer; raises what an earlier one could not be delivered for."""
        if self._error is not None:
            raise self._error
        self._waiting.put(answered)

    def finish(self) -> None:
        """Wait until all is delivered; raises what could not be."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
