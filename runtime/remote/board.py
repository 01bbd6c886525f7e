"""A board over SSH: jobs are started, followed and collected there, through connections that break and come back."""

import logging
import math
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from edgevision.core.atomic_files import atomic_file, translated_write_errors
from edgevision.core.errors import DeviceError, EdgevisionError, ImageError, OutputError, UnreachableError
from edgevision.core.printable import printable, printable_values
from edgevision.runtime.remote.board_reports import BoardFacts, explain_failure
from edgevision.runtime.remote.call import (
    BOOT,
    BoardFailureError,
    FileBytes,
    Message,
    NoAnswerError,
    board_source,
    call,
    not_understood,
)
from edgevision.runtime.remote.environment import Environment
from edgevision.runtime.remote.job import Content, Fetched, Job, Output, digest_of, size_of, translated_read_errors
from edgevision.runtime.remote.ssh import Connection, end_group

T = TypeVar("T")

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 30.0
# A call that was answered for so long was a good one: the next trouble is a new one with a deadline of its own.
_GOOD_CALL_S = 10.0
# A board that lets us in and does not answer is asked once more, and not for as long as one that restarts.
_LONGEST_UNANSWERED_S = 30.0
_CHUNK = 1 << 20
_LARGEST_TEXT = 16 << 20
_LARGEST_FILE = 1 << 30
_LONGEST_LINE = 500
_MOST_LINES = 5000
_LOST = {
    "rebooted": "restarted in the middle, and what ran there is lost; check its power supply and run again",
    "killed": "killed what ran there, most likely for want of memory; try fewer or smaller inputs",
    "gone": "no longer holds the job's folder, which another host or hand removed; run again",
}


class Interrupted(Exception):  # noqa: N818 - no error: the user wants it so
    """The work was cancelled from another thread."""


class Board:
    """One board. All but :meth:`cancel` belongs to one thread; ``host`` is what the user calls it.

    ``translate`` puts what the board says in the user's names; ``last_error`` is the last error it said.

    Every method raises :class:`UnreachableError` once the connection stayed away for ``reconnect_for_s`` seconds, other
    :class:`DeviceError` for what the board cannot do, and :class:`Interrupted` after :meth:`cancel`.
    """

    reconnect_for_s = 300.0
    """How long a lost connection is tried again: a Raspberry Pi restarts well within that."""

    def __init__(self, host: str, connection: Connection | None = None) -> None:
        self.host = host
        self.last_error = ""
        self.translate: Callable[[str], str] = str
        self._connection = connection or Connection(host)
        self._cancelled = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._facts: BoardFacts | None = None
        self._called = self._heard = time.monotonic()
        self._offline = False
        self._lines = 0

    def open(self, *, look_for_cuda: bool = False) -> BoardFacts:
        """Log in and see what is there; the one call that is not tried again."""
        self._connection.open()
        document = printable_values(self._call("facts", look_for_cuda=look_for_cuda))
        try:
            self._facts = BoardFacts.from_dict(document)
        except ValueError as error:
            raise not_understood(error) from error
        self._facts.check(self.host)
        return self._facts

    def start(self, job: Job, environment: Environment) -> None:
        """Copy what the board lacks, and start the job, detached, or take up the same one started before.

        What the environment is made of is copied only where it is not prepared yet, and the code where the board has
        another; the job itself prepares both.
        """
        self._offline = environment.wheelhouse is not None
        prepared = self._retry(lambda: self._upload(job, environment))
        code, requirements = environment.software.code, environment.software.requirements
        request = {
            "job": job.identity(environment.identity),
            "environment": {
                "key": environment.key,
                "extras": environment.extras,
                "system_site_packages": environment.system_site_packages,
                "requirements": {"name": requirements.name, "sha256": digest_of(requirements.data)},
                "wheelhouse": None if not self._offline else {} if prepared else environment.digests,
            },
            "code": {"key": code.key, "sha256": digest_of(code.archive)},
            "arguments": job.arguments,
            "files": job.digests,
            "folders": job.folders,
            "source": board_source(),
            "boot": BOOT,
        }
        answer = self._retry(lambda: self._call("start", **request))
        if answer.get("taken_up") is True:
            state = "still runs" if answer.get("state") == "running" else "has ended"
            self._say(f"the same work was begun there before and {state}; taking it up")

    def follow(self, identity: str) -> int:
        """Wait for the job's end, passing on what it says; the exit code of edgevision there.

        Raises:
            EdgevisionError: the board restarted, or the job was killed.
        """
        offset = 0

        def receive(message: Message, stream: FileBytes) -> None:
            nonlocal offset
            if not isinstance(message.get("say"), str) or not isinstance(message.get("offset"), int):
                raise not_understood(message)
            offset = message["offset"]
            for line in message["say"].replace("\r", "\n").splitlines():
                self._pass_on(line)

        state = self._retry(lambda: self._call("follow", job=identity, offset=offset, receive=receive))
        if state.get("state") == "ended" and isinstance(state.get("failed"), dict):
            raise self._explained(state["failed"])
        if state.get("state") == "ended" and isinstance(state.get("code"), int):
            return int(state["code"])
        if state.get("state") not in tuple(_LOST):
            raise not_understood(state)
        raise self._ended(state["state"])

    def read_output(self, identity: str) -> str:
        """What edgevision printed there, as it came: not yet safe to show.

        Raises:
            EdgevisionError: another host collected the job meanwhile.
        """
        pieces: list[bytes] = []

        def receive(message: Message, stream: FileBytes) -> None:
            size = self._size(message, "stdout", _LARGEST_TEXT)
            if size is None:
                raise self._ended("gone")
            pieces[:] = stream.pieces(size)

        self._retry(lambda: self._call("fetch", job=identity, files=["stdout"], receive=receive))
        return b"".join(pieces).decode(errors="replace")

    def fetch(self, identity: str, outputs: Mapping[str, Output]) -> Fetched:
        """Write the job's files, by their names there, to the targets given here.

        Each is whole and passed its check, or it is not written at all. Names and targets are the host's own: the board
        chooses neither.

        Raises:
            OutputError: a target exists by now, and is to be left as it is.
        """
        written: set[str] = set()
        refused: dict[str, str] = {}

        def receive_next(names: Iterator[str]) -> Callable[[Message, FileBytes], None]:
            def receive(message: Message, stream: FileBytes) -> None:
                name = next(names, "")
                size = self._size(message, name, _LARGEST_FILE)
                if size is None:
                    return
                try:
                    _write(outputs[name], stream.pieces(size))
                except ImageError as error:
                    refused[name] = str(error)
                else:
                    written.add(name)

            return receive

        def attempt() -> None:
            rest = [name for name in outputs if name not in written | refused.keys()]
            self._call("fetch", job=identity, files=[f"work/{name}" for name in rest], receive=receive_next(iter(rest)))

        if outputs:
            self._retry(attempt)
        return Fetched(frozenset(written), refused)

    def clear(self, identity: str) -> None:
        """Remove the job from the board, its result included."""
        self._retry(lambda: self._call("clear", job=identity))

    def abandon(self, identity: str) -> None:
        """After :meth:`cancel`: end the job and remove it, if the board can still be reached at once."""
        try:
            self._call("stop", job=identity)
            self._call("clear", job=identity)
        except DeviceError as error:
            log.warning("%s: what runs there could not be ended: %s", self.host, error)

    def cancel(self) -> None:
        """From any thread: let whatever goes on raise :class:`Interrupted` soon."""
        self._cancelled.set()
        self._end_call()

    def close(self) -> None:
        """Log out; a job that runs goes on."""
        self._end_call()
        self._connection.close()

    def _end_call(self) -> None:
        process = self._process
        if process is not None:
            end_group(process)

    def _upload(self, job: Job, environment: Environment) -> bool:
        """Copy what is lacking; whether the environment was prepared before."""
        code, requirements = environment.software.code, environment.software.requirements
        archive = digest_of(code.archive)
        contents: dict[str, Content] = {job.digests[name]: content for name, content in job.inputs.items()}
        answer, lacking = self._missing(environment, contents | {archive: code.archive})
        if answer.get("unpacked") is True:
            lacking.pop(archive, None)
        prepared = answer.get("prepared") is True
        if not prepared:
            made_of: dict[str, Content] = {digest_of(requirements.data): requirements.data}
            made_of |= {digest: environment.wheels[name] for name, digest in environment.digests.items()}
            lacking |= self._missing(environment, made_of)[1]
        if lacking:
            sizes = {digest: size_of(content) for digest, content in lacking.items()}
            total = sum(sizes.values())
            self._say(f"copying {len(lacking)} file{'s'[: len(lacking) > 1]}, {total / 1e6:.1f} MB")
            self._call("store", files=list(sizes.items()), payload=self._payload(list(lacking.values()), total))
        return prepared

    def _missing(self, environment: Environment, contents: Mapping[str, Content]) -> tuple[Message, dict[str, Content]]:
        """What the board has of the environment, and those of the contents, by sha256, that it does not hold."""
        code = environment.software.code.key
        answer: Message = self._call("missing", environment=environment.key, code=code, files=list(contents))
        if not isinstance(answer.get("files"), list):
            raise not_understood(answer)
        named = {digest for digest in answer["files"] if isinstance(digest, str)}
        return answer, {digest: content for digest, content in contents.items() if digest in named}

    def _payload(self, contents: Sequence[Content], total: int) -> Iterator[bytes]:
        sent, said = 0, time.monotonic()
        for content in contents:
            with ExitStack() as stack:
                if isinstance(content, bytes):
                    pieces = iter([content])
                else:
                    stack.enter_context(translated_read_errors(content))
                    file = stack.enter_context(content.open("rb"))
                    pieces = iter(partial(file.read, _CHUNK), b"")
                for piece in pieces:
                    yield piece
                    sent += len(piece)
                    if time.monotonic() - said > _GOOD_CALL_S:
                        said = time.monotonic()
                        self._say(f"copied {sent / 1e6:.1f} of {total / 1e6:.1f} MB")

    def _size(self, message: Message, name: str, largest: int) -> int | None:
        """The size that a message announces for the file asked for; ``None`` where the board has no such file."""
        asked, size = str(message.get("file")).removeprefix("work/"), message.get("size")
        if asked != name or not (size is None or (type(size) is int and size >= 0)):
            raise not_understood(message)
        if size is not None and size > largest:
            raise DeviceError(f"{self.host!r} wants to send {size} bytes as {name!r}, of which {largest} are taken")
        return size

    def _call(self, operation: str, **request: Any) -> Any:
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
                python=self._facts.python if self._facts else None,
                started=started,
                heard=heard,
                **request,
            )
        except BoardFailureError as error:
            raise self._explained(error.report) from error
        finally:
            self._process = None
        if answer is not None and not isinstance(answer, dict):
            raise not_understood(answer)
        return answer or {}

    def _ended(self, state: str) -> EdgevisionError:
        return EdgevisionError(f"{self.host!r} {_LOST[state]}")

    def _explained(self, report: Mapping[str, Any]) -> DeviceError:
        if self._facts is None:
            return DeviceError(f"{self.host!r} cannot be used: {printable(str(report))[:_LONGEST_LINE]}")
        return explain_failure(self.host, self._facts, report, offline=self._offline)

    def _retry(self, attempt: Callable[[], T]) -> T:
        """The result of an attempt that is made again, over a new connection, as often as the connection breaks."""
        since: float | None = None
        while True:
            try:
                return attempt()
            except UnreachableError as error:
                if since is None or self._heard - self._called > _GOOD_CALL_S:
                    since = self._heard
                self._reconnect(error, since)

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
            self._say(f"{what}, trying again in {pause:.0f} s; what runs there goes on")
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

    def _pass_on(self, line: str) -> None:
        """A line that the board said; an error's text is kept for the end instead of being shown twice."""
        line = self.translate(printable(line).rstrip()[:_LONGEST_LINE])
        if line.startswith("error: "):
            self.last_error = line.removeprefix("error: ")
            return
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self._say(line)
        elif self._lines == _MOST_LINES + 1:
            self._say("says more than is shown here")

    def _say(self, text: str) -> None:
        log.info("%s: %s", self.host, text)


def _write(output: Output, pieces: Iterator[bytes]) -> None:
    """Put a file that comes in pieces where it belongs; :class:`ImageError` where it fails its check."""
    target = output.target
    with translated_write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_file(target, force=output.existing == "replace") as temporary:
            with temporary.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            output.check(temporary)
    except OutputError:
        if not (output.existing == "keep" and target.exists()):
            raise
