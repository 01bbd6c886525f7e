"""A tool that keeps printing lines until it is stopped."""

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol

from edgevision.runtime.telemetry.source import find_tool

# A line of tegrastats has some 600 bytes.
_LONGEST_LINE = 1 << 14
_READ_AT_MOST = 1 << 16
_SECONDS_TO_STOP = 1.0


class Lines(Protocol):
    """Lines that come in by themselves."""

    def latest(self) -> str | None:
        """The newest complete line, ``None`` before the first; never waits."""

    def close(self) -> None:
        """Stop them."""


StartTool = Callable[[Sequence[str]], Lines | None]


class ToolStream:
    """A running process; when it ends by itself its last line is forgotten."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process, self._descriptor = process, process.stdout.fileno()
        os.set_blocking(self._descriptor, False)
        self._rest = b""
        self._latest: str | None = None

    def latest(self) -> str | None:
        try:
            while chunk := os.read(self._descriptor, _READ_AT_MOST):
                *complete, rest = (self._rest + chunk).split(b"\n")
                self._rest = rest[-_LONGEST_LINE:]
                if complete:
                    self._latest = complete[-1].decode(errors="replace")
            self._latest = None
        except BlockingIOError:
            pass
        return self._latest

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def start_tool(arguments: Sequence[str]) -> Lines | None:
    """Start one of the board's tools; ``None`` where it is missing."""
    program = find_tool(arguments[0])
    if program is None:
        return None
    try:
        return ToolStream(
            subprocess.Popen(
                [program, *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        )
    except OSError:
        return None
