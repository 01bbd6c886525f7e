"""A board over SSH: jobs are started, followed and collected there."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgevision.core.atomic_files import atomic_file, translated_write_errors
from edgevision.core.errors import DeviceError, EdgevisionError, ImageError, OutputError
from edgevision.core.printable import printable, printable_values
from edgevision.runtime.remote.board_reports import BoardFacts, explain_failure
from edgevision.runtime.remote.call import BOOT, BoardFailureError, FileBytes, Message, board_source, not_understood
from edgevision.runtime.remote.environment import Environment
from edgevision.runtime.remote.job import Fetched, Job, Output, digest_of
from edgevision.runtime.remote.session import Session
from edgevision.runtime.remote.upload import upload

log = logging.getLogger(__name__)

# A measurement tells every run: of a network that takes 5 microseconds there are two million in ten seconds, 80 MB.
_LARGEST_TEXT = 256 << 20
_LARGEST_FILE = 1 << 30
_LONGEST_LINE = 500
_MOST_LINES = 5000
_LOST = {
    "rebooted": "restarted in the middle, and what ran there is lost; check its power supply and run again",
    "killed": "killed what ran there, most likely for want of memory; try fewer or smaller inputs",
    "gone": "no longer holds the job's folder, which another host or hand removed; run again",
}


class Board:
    """What runs on the board of a session, from one thread.

    ``translate`` puts what the board says in the user's names; ``last_error`` is the last error it said.

    Every method raises :class:`UnreachableError` once the connection stayed away too long, other :class:`DeviceError`
    for what the board cannot do, and :class:`Interrupted` after the session was cancelled.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.last_error = ""
        self.translate: Callable[[str], str] = str
        self._facts: BoardFacts | None = None
        self._offline = False
        self._lines = 0

    @property
    def host(self) -> str:
        """What the user calls it."""
        return self.session.host

    def open(self, *, look_for_cuda: bool = False) -> BoardFacts:
        """Log in and see what is there; the one call that is not tried again."""
        self.session.open()
        with self._failures_explained():
            document = printable_values(self.session.call("facts", look_for_cuda=look_for_cuda))
        try:
            self._facts = BoardFacts.from_dict(document)
        except ValueError as error:
            raise not_understood(error) from error
        self._facts.check(self.host)
        self.session.python = self._facts.python
        return self._facts

    def start(self, job: Job, environment: Environment) -> None:
        """Copy what the board lacks, and start the job, detached, or take up the same one started before.

        The job itself prepares its environment there.
        """
        self._offline = environment.wheelhouse is not None
        with self._failures_explained():
            prepared = self.session.retry(lambda: upload(self.session, job, environment))
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
        answer = self._call("start", **request)
        if answer.get("taken_up") is True:
            state = "still runs" if answer.get("state") == "running" else "has ended"
            self.session.say(f"the same work was begun there before and {state}; taking it up")

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

        with self._failures_explained():
            state = self.session.retry(
                lambda: self.session.call("follow", job=identity, offset=offset, receive=receive)
            )
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

        self._call("fetch", job=identity, files=["stdout"], receive=receive)
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
            files = [f"work/{name}" for name in rest]
            self.session.call("fetch", job=identity, files=files, receive=receive_next(iter(rest)))

        if outputs:
            with self._failures_explained():
                self.session.retry(attempt)
        return Fetched(frozenset(written), refused)

    def clear(self, identity: str) -> None:
        """Remove the job from the board, its result included."""
        self._call("clear", job=identity)

    def abandon(self, identity: str) -> None:
        """After the session was cancelled: end the job and remove it, if the board can still be reached at once."""
        try:
            self.session.call("stop", job=identity)
            self.session.call("clear", job=identity)
        except DeviceError as error:
            log.warning("%s: what runs there could not be ended: %s", self.host, error)

    def _call(self, operation: str, **request: Any) -> Message:
        with self._failures_explained():
            return self.session.retry(lambda: self.session.call(operation, **request))

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        """Turn what the board could not do into an error in words for a user."""
        try:
            yield
        except BoardFailureError as error:
            if self._facts is None:
                said = printable(str(error.report))[:_LONGEST_LINE]
                raise DeviceError(f"{self.host!r} cannot be used: {said}") from error
            raise self._explained(error.report) from error

    def _explained(self, report: Mapping[str, Any]) -> DeviceError:
        assert self._facts is not None
        return explain_failure(self.host, self._facts, report, offline=self._offline)

    def _size(self, message: Message, name: str, largest: int) -> int | None:
        """The size that a message announces for the file asked for; ``None`` where the board has no such file."""
        asked, size = str(message.get("file")).removeprefix("work/"), message.get("size")
        if asked != name or not (size is None or (type(size) is int and size >= 0)):
            raise not_understood(message)
        if size is not None and size > largest:
            raise DeviceError(f"{self.host!r} wants to send {size} bytes as {name!r}, of which {largest} are taken")
        return size

    def _ended(self, state: str) -> EdgevisionError:
        return EdgevisionError(f"{self.host!r} {_LOST[state]}")

    def _pass_on(self, line: str) -> None:
        """A line that the board said; an error's text is kept for the end instead of being shown twice."""
        line = self.translate(printable(line).rstrip()[:_LONGEST_LINE])
        if line.startswith("error: "):
            self.last_error = line.removeprefix("error: ")
            return
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self.session.say(line)
        elif self._lines == _MOST_LINES + 1:
            self.session.say("says more than is shown here")


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
