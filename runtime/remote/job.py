"""What a board is to do: a command line of edgevision, the files it needs, and the environment it runs in."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.regular_files import sha256
from edgevision.runtime.remote.wheel import Wheel

# PyPA's wheel names hold nothing else, and on the board this becomes a file name.
_WHEEL_NAME = re.compile(r"[\w.+!-]+\.whl", re.ASCII)
_CHUNK = 1 << 20

Content = Path | bytes


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


@dataclass(frozen=True)
class Environment:
    """A virtual environment with ``wheel`` and its extras; ``wheelhouse`` is where all the rest comes from, if given.

    With ``system_site_packages`` it sees what the board's own Python has.
    """

    wheel: Wheel
    extras: tuple[str, ...]
    system_site_packages: bool = False
    wheelhouse: Path | None = None

    @property
    def key(self) -> str:
        """Its folder's name on the board: equal for equal content."""
        parts = [self.wheel.version, self.wheel.content_hash[:12], *self.extras]
        return "-".join([*parts, "system"] if self.system_site_packages else parts)

    @cached_property
    def wheels(self) -> dict[str, Path]:
        """The wheelhouse's wheels by name, without any of edgevision.

        Raises:
            InputError: the folder holds none, or one with an impossible name.
        """
        if self.wheelhouse is None:
            return {}
        found = {path.name: path for path in sorted(self.wheelhouse.glob("*.whl")) if path.is_file()}
        for name in found:
            if not _WHEEL_NAME.fullmatch(name):
                raise InputError(f"--wheelhouse holds {name!r}, which is no wheel's name; remove it")
        if not found:
            raise InputError(
                f"--wheelhouse {str(self.wheelhouse)!r} holds no wheels; fill it with pip download, for the board's"
                " --platform, --python-version and --only-binary=:all:"
            )
        return {name: path for name, path in found.items() if not name.startswith("edgevision-")}

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every wheel of the wheelhouse, by name."""
        return {name: digest_of(path) for name, path in self.wheels.items()}


@dataclass(frozen=True)
class Job:
    """``arguments`` of the command line, run in a folder with ``files``, by relative name, and empty ``folders``."""

    arguments: tuple[str, ...]
    files: Mapping[str, Content]
    folders: tuple[str, ...] = ()

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every file, by its relative name."""
        return {name: digest_of(content) for name, content in self.files.items()}

    def identity(self, environment: Environment) -> str:
        """A hash of everything that decides the result: the same work is the same job, on whichever day."""
        whole = [environment.key, self.arguments, self.digests, self.folders]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
