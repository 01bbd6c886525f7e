"""A job for a board: a command line of edgevision, the files it needs, and the files it leaves."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from edgevision.core.errors import InputError
from edgevision.core.regular_files import sha256

Content = Path | bytes

Check = Callable[[Path], None]
"""Raises :class:`ImageError` where a file is not what was asked for."""

Existing = Literal["refuse", "replace", "keep"]
"""What becomes of a file that came to be where an output is to go."""


class Output(NamedTuple):
    """Where a file of the board goes, once it passed its check."""

    target: Path
    check: Check
    existing: Existing = "refuse"


class Fetched(NamedTuple):
    """The names of the outputs that are at their target now, and of those ``refused`` what they were instead."""

    written: frozenset[str]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """``arguments`` of the command line, run in a folder with ``inputs``, by relative name, and empty ``folders``.

    ``outputs`` are what it leaves there for this machine.
    """

    arguments: tuple[str, ...]
    inputs: Mapping[str, Content]
    folders: tuple[str, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every input, by its relative name."""
        return {name: digest_of(content) for name, content in self.inputs.items()}

    def identity(self, environment: str) -> str:
        """A hash of all that decides the result, the environment's too: the same work is the same job, on any day."""
        whole = [environment, self.arguments, self.digests, self.folders]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def digest_of(content: Content) -> str:
    """The sha256 of a file or of bytes, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with translated_read_errors(content):
        return sha256(content)


def size_of(content: Content) -> int:
    """In bytes."""
    if isinstance(content, bytes):
        return len(content)
    with translated_read_errors(content):
        return content.stat().st_size


@contextmanager
def translated_read_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to read a file that is to be sent into :class:`InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be sent to the board: {error.strerror}; check it, and run again"
        ) from error
