"""The ways to ask a system: its files, its tools, and tools that keep printing lines until they are stopped."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

RunTool = Callable[[Sequence[str]], str | None]

# A shell opened over SSH often lacks the folders where the boards keep their tools.
_TOOL_FOLDERS = (*os.get_exec_path(), "/usr/sbin", "/sbin", "/opt/vc/bin")
_TOOL_SECONDS = 5.0
# A line of tegrastats has some 600 bytes.
_LONGEST_LINE = 1 << 14
_READ_AT_MOST = 1 << 16
_SECONDS_TO_STOP = 1.0


class SystemFile:
    """A small text file of /proc or /sys, opened once and read again and again.

    The kernel makes the text anew for each read at offset 0. A file that is missing or refuses (an offline sensor
    answers with an error) reads as ``None``.
    """

    def __init__(self, path: Path, size: int = 4096) -> None:
        self._size = size
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY)
        except (OSError, ValueError):
            self._descriptor = None

    def text(self) -> str | None:
        """What stands there now, without the white space and NUL bytes around it."""
        if self._descriptor is None:
            return None
        try:
            return os.pread(self._descriptor, self._size, 0).decode(errors="replace").strip(" \t\r\n\0")
        except OSError:
            return None

    def number(self) -> int | None:
        """The whole number that stands there now, ``None`` if it is something else."""
        return whole_number(self.text())

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def whole_number(text: str | None) -> int | None:
    """``text`` as a decimal number of at most 18 digits, as the kernel writes them."""
    text = (text or "").strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def read_text(path: Path) -> str | None:
    """A file that is read only once; ``None`` where it cannot be."""
    file = SystemFile(path, size=1 << 16)
    text = file.text()
    file.close()
    return text


@cache
def find_tool(name: str) -> str | None:
    """The path of one of the board's tools, looked for once, also where the boards keep them."""
    return shutil.which(name, path=os.pathsep.join(_TOOL_FOLDERS))


def run_tool(arguments: Sequence[str]) -> str | None:
    """The standard output of a board's tool; ``None`` where it is missing, fails or hangs."""
    program = find_tool(arguments[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


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
