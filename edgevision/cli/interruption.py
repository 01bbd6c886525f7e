"""How the program ends when it is told to: Ctrl-C, SIGTERM and SIGHUP alike, with everything tidied up."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

_AT_ONCE = 1.0
"""Seconds within which a second signal means the same as the first: some senders tell the process and its group."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal other than that of Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_as_interrupted() -> None:
    """From now on SIGTERM and SIGHUP raise :class:`Terminated` where a KeyboardInterrupt would be raised.

    One that is ignored, as SIGHUP is below nohup, stays so. To be called in the main thread.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows knows one of them
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise_terminated(os.getpid()))


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a shell expects of a process that a signal ended: 128 and the signal's number, so 130 for Ctrl-C."""
    return 128 + (interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT)


def _raise_terminated(process: int) -> Callable[[int, FrameType | None], None]:
    last = -_AT_ONCE

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if os.getpid() != process:  # a worker that was forked, which has nothing to tidy up
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        earlier, last = last, time.monotonic()
        if last - earlier > _AT_ONCE:
            raise Terminated(number)

    return handle
