"""One call of the program on the board: send it with a request, and read its answer without trusting it.

The other side and the format are in :mod:`edgevision.runtime.remote.board_program`, which is never imported here.
"""

import json
import secrets
import shlex
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any

from edgevision.core.errors import DeviceError, UnreachableError
from edgevision.core.printable import printable
from edgevision.runtime.remote.ssh import Connection, end_group
from edgevision.runtime.remote.watchdog import Watchdog

BOOT = (
    "import json, sys; i = sys.stdin.buffer; r = json.loads(i.readline()); n = {'__name__': 'board'};"
    " exec(compile(i.read(r['source_bytes']), 'board', 'exec'), n); n['main'](r)"
)

# The board's own python3 is often older than one installed beside it.
_PYTHONS = "python3 python3.14 python3.13 python3.12 python3.11"
_NO_PYTHON = 97
_OLD_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"
_FIND_PYTHON = (
    f'for p in {_PYTHONS}; do command -v "$p" >/dev/null 2>&1 && "$p" -c "$1" 2>/dev/null && exec "$p" -I -c "$2";'
    f" done; python3 --version >&2; exit {_NO_PYTHON}"
)

_LONGEST_LINE = 4 << 20
_MOST_NOISE = 1 << 20
_LONGEST_END_S = 10.0
# So small that even the slowest link takes one well before the watchdog ends it.
_PIECE = 1 << 16

Message = dict[str, Any]
Receive = Callable[[Message, "FileBytes"], None]


@cache
def board_source() -> str:
    """The program, as it is sent."""
    return Path(__file__).with_name("board_program.py").read_text(encoding="utf-8")


class NoAnswerError(UnreachableError):
    """The connection stands, and what was asked over it is not answered: the board hangs, or is none of ours."""


class BoardFailureError(DeviceError):
    """The board reported what it could not do; ``report`` is not yet in words for a user."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        super().__init__(printable(json.dumps(report))[:300])
        self.report = report


def call(
    connection: Connection,
    operation: str,
    *,
    python: str | None = None,
    payload: Iterable[bytes] = (),
    receive: Receive | None = None,
    started: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    heard: Callable[[], None] = lambda: None,
    **request: Any,
) -> Any:
    """What the operation answers, as JSON values of any shape; ``receive`` gets every message before.

    ``python`` is the board's, looked for without it. ``started`` is given the process of ssh, for ending it early;
    ``heard`` is called at each sign of life.

    Raises:
        UnreachableError: the connection broke, or ssh was ended.
        NoAnswerError: the board did not answer, or not in time; see :class:`Watchdog`.
        BoardFailureError: the operation failed there.
        DeviceError: there is no Python 3.11, or what came is no answer.
    """
    source = board_source().encode()
    nonce = secrets.token_hex(16)
    header = {"operation": operation, "nonce": nonce, "source_bytes": len(source)} | request
    if python is None:
        command = shlex.join(["exec", "sh", "-c", _FIND_PYTHON, "sh", _OLD_ENOUGH, BOOT])
    else:
        command = shlex.join(["exec", python, "-I", "-c", BOOT])
    with connection.run(command) as process:
        started(process)
        said = _Tail(process)

        def give_up() -> None:
            end_group(process)
            connection.sever()  # the process that all calls share holds the pipes too

        try:
            with Watchdog(operation, give_up) as watchdog:
                _send(process, [json.dumps(header).encode() + b"\n", source], payload, watchdog)
                assert process.stdout is not None
                answer = _answer(process.stdout, nonce, receive, watchdog, heard)
            if answer is None:
                raise _silence(connection, process, said.text(), watchdog)
        except UnreachableError as error:
            if watchdog.waited_s is not None and not isinstance(error, NoAnswerError):
                raise _gave_up(connection, watchdog.waited_s) from error
            raise
        finally:
            end_group(process)  # else ssh would wait for all that the login files started, such as a daemon
    if "failed" in answer:
        raise BoardFailureError(answer["failed"] if isinstance(answer["failed"], dict) else {})
    return answer["done"]


def _send(process: "subprocess.Popen[bytes]", start: list[bytes], payload: Iterable[bytes], watchdog: Watchdog) -> None:
    assert process.stdin is not None
    try:
        for part in chain(start, payload):
            for offset in range(0, len(part), _PIECE):
                with watchdog.waiting():
                    process.stdin.write(part[offset : offset + _PIECE])
                watchdog.progressed()
        with watchdog.waiting():
            process.stdin.close()
    except BrokenPipeError:
        # What it said before it ended is about to be read.
        with suppress(BrokenPipeError):
            process.stdin.close()


def _answer(
    stream: IO[bytes], nonce: str, receive: Receive | None, watchdog: Watchdog, heard: Callable[[], None]
) -> Message | None:
    """The last message, after ``receive`` had the others; ``None`` where the stream ends before."""
    for message in _messages(stream, nonce, watchdog):
        watchdog.heard()
        heard()
        if "done" in message or "failed" in message:
            return message
        if receive is not None and "alive" not in message:
            watchdog.progressed()
            receive(message, FileBytes(stream, watchdog))
    return None


class FileBytes:
    """The bytes of a file that follow the message which announces them."""

    def __init__(self, stream: IO[bytes], watchdog: Watchdog) -> None:
        self._stream = stream
        self._watchdog = watchdog

    def pieces(self, size: int) -> Iterator[bytes]:
        """``size`` bytes in pieces; :class:`UnreachableError` where fewer come."""
        while size > 0:
            with self._watchdog.waiting():
                piece = self._stream.read(min(size, _PIECE))
            if not piece:
                raise UnreachableError("the connection broke while a file was coming")
            self._watchdog.progressed()
            size -= len(piece)
            yield piece


def _messages(stream: IO[bytes], nonce: str, watchdog: Watchdog) -> Iterator[Message]:
    noise = 0
    while (line := _line(stream, watchdog)) and not line.rstrip().endswith(nonce.encode()):
        noise += len(line)  # the greeting of a login shell, whose last line need not end
        if noise > _MOST_NOISE:
            raise DeviceError(f"the board's login shell says more than {_MOST_NOISE} bytes; silence its start-up files")
    while line := _line(stream, watchdog):
        if not line.endswith(b"\n"):
            if len(line) >= _LONGEST_LINE:
                raise not_understood("a line without end")
            return  # cut off with the connection
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise not_understood(line.decode(errors="replace")) from None
        if not isinstance(message, dict):
            raise not_understood(line.decode(errors="replace"))
        yield message


def _line(stream: IO[bytes], watchdog: Watchdog) -> bytes:
    with watchdog.waiting():
        return stream.readline(_LONGEST_LINE)


def not_understood(what: object) -> DeviceError:
    """The error for an answer that is none of the protocol's."""
    return DeviceError(f"the board sent what is no answer: {printable(str(what)[:1000]).strip()[:80]!r}")


class _Tail:
    """The end of what a process says on standard error, read all the while so that it never waits for us."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._last: deque[bytes] = deque(maxlen=50)
        self._thread = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError):  # closed meanwhile
            while line := stream.readline(1000):
                self._last.append(line)

    def text(self) -> str:
        self._thread.join(timeout=5)
        return b"".join(self._last).decode(errors="replace")


def _silence(connection: Connection, process: "subprocess.Popen[bytes]", said: str, watchdog: Watchdog) -> DeviceError:
    """Why nothing more came."""
    if watchdog.waited_s is not None:
        return _gave_up(connection, watchdog.waited_s)
    # It closed its output, which need not mean that it ends.
    try:
        code = process.wait(timeout=_LONGEST_END_S)
    except subprocess.TimeoutExpired:
        return _gave_up(connection, _LONGEST_END_S)
    host = connection.host
    if code == 255:
        return connection.failure(said)
    if code < 0:
        return UnreachableError(f"the connection to {host!r} was ended here by signal {-code}")
    lines = printable(said).strip().splitlines()
    last = lines[-1][:200] if lines else "nothing was said"
    if code in (_NO_PYTHON, 127):
        return DeviceError(
            f"{host!r} has no Python 3.11 or later ({last}); install it there, on Debian and Raspberry Pi OS with"
            " sudo apt install python3 python3-venv (Debian 12 or later), elsewhere from python.org or conda"
        )
    return NoAnswerError(
        f"{host!r} did not run what it was asked to, code {code} ({last}); try ssh {shlex.quote(host)} python3 by hand"
    )


def _gave_up(connection: Connection, waited_s: float) -> NoAnswerError:
    return NoAnswerError(
        f"{connection.host!r} let us in and then gave no answer for {waited_s:.0f} s; it hangs or has no memory left:"
        f" try ssh {shlex.quote(connection.host)} by hand, or restart it"
    )
