"""Calls of a board over a connection that breaks and comes back."""

import logging
import math
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from edgevision.core.errors import DeviceError, UnreachableError
from edgevision.runtime.remote.call import Message, NoAnswerError, call, not_understood
from edgevision.runtime.remote.ssh import Connection, end_group

T = TypeVar("T")

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 30.0
# A call that was answered for so long was a good one: the next trouble is a new one with a deadline of its own.
_GOOD_CALL_S = 10.0
# A board that lets us in and does not answer is asked once more, and not for as long as one that restarts.
_LONGEST_UNANSWERED_S = 30.0


class Interrupted(Exception):  # noqa: N818 - no error: the user wants it so
    """The work was cancelled from another thread."""


class Session:
    """What a board is asked, and answers. All but :meth:`cancel` belongs to one thread.

    ``host`` is what the user calls the board, ``python`` its Python, once it is known.
    """

    reconnect_for_s = 300.0
    """How long a lost connection is tried again: a Raspberry Pi restarts well within that."""

    def __init__(self, host: str, connection: Connection | None = None) -> None:
        self.host = host
        self.python: str | None = None
        self._connection = connection or Connection(host)
        self._cancelled = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._called = self._heard = time.monotonic()

    def open(self) -> None:
        """Log in; as :meth:`Connection.open`."""
        self._connection.open()

    def say(self, text: str) -> None:
        """Tell the user something of this board."""
        log.info("%s: %s", self.host, text)

    def call(self, operation: str, **request: Any) -> Message:
        """What the board answers; as :func:`edgevision.runtime.remote.call.call`, which gets the ``request``."""
        self._called = self._heard = time.monotonic()

        def heard() -> None:
            self._heard = time.monotonic()

        def started(process: "subprocess.Popen[bytes]") -> None:
            self._process = process
            if self._cancelled.is_set() and operation not in ("stop", "clear"):
                end_group(process)

        try:
            answer = call(
                self._connection,
                operation,
                python=self.python,
                started=started,
                heard=heard,
                **request,
            )
        finally:
            self._process = None
        if answer is not None and not isinstance(answer, dict):
            raise not_understood(answer)
        return answer or {}

    def retry(self, attempt: Callable[[], T]) -> T:
        """The result of an attempt that is made again, over a new connection, as often as the connection breaks.

        Raises:
            UnreachableError: the connection stayed away for ``reconnect_for_s`` seconds.
            Interrupted: :meth:`cancel` was called.
        """
        since: float | None = None
        while True:
            try:
                return attempt()
            except UnreachableError as error:
                if since is None or self._heard - self._called > _GOOD_CALL_S:
                    since = self._heard
                self._reconnect(error, since)

    def cancel(self) -> None:
        """From any thread: let whatever goes on raise :class:`Interrupted` soon."""
        self._cancelled.set()
        self._end_call()

    def close(self) -> None:
        """Log out; a job that runs goes on."""
        self._end_call()
        self._connection.close()

    def _reconnect(self, trouble: DeviceError, since: float) -> None:
        """Log in again; raises ``trouble`` where it has lasted too long ``since`` all was well."""
        pause = 1.0
        while True:
            self._raise_if_cancelled()
            unanswered = isinstance(trouble, NoAnswerError)
            if time.monotonic() - since > min(self.reconnect_for_s, _LONGEST_UNANSWERED_S if unanswered else math.inf):
                raise UnreachableError(
                    f"{trouble}; what runs on {self.host!r} goes on, and the same command line takes it up again"
                ) from trouble
            what = "no answer" if unanswered else "lost the connection"
            self.say(f"{what}, trying again in {pause:.0f} s; what runs there goes on")
            self._cancelled.wait(pause)
            self._raise_if_cancelled()
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            try:
                self._connection.open()
            except UnreachableError as error:
                trouble = error
                continue
            return

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Interrupted

    def _end_call(self) -> None:
        process = self._process
        if process is not None:
            end_group(process)
