"""What a sampler asks, and the two ways to ask a system: its files and its tools."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from edgevision.runtime.telemetry.reading import Reading

RunTool = Callable[[Sequence[str]], str | None]

# A shell opened over SSH often lacks the folders where the boards keep their tools.
_TOOL_FOLDERS = (*os.get_exec_path(), "/usr/sbin", "/sbin", "/opt/vc/bin")
_TOOL_SECONDS = 5.0


class Source(Protocol):
    """Something that knows a part of the board's state."""

    def read(self) -> Reading:
        """The fields this source knows, now; ``time_s`` is left at 0."""

    def close(self) -> None:
        """Free what is held; called once, after the last reading."""


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
