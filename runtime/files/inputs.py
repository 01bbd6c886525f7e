"""What a user names on the command line, as single pictures: files, folders, globs, URLs, ``-`` for standard input."""

import glob
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.folder_search import files_below, matching_files
from edgevision.core.regular_files import LARGEST_IN_MEMORY
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES
from edgevision.runtime.files.stored_files import StoredFile, on_this_machine_or_stored, stored_files

_SOURCE = re.compile(r"[a-z][a-z0-9]+:")
"""How sources other than files begin; what is live, or lies in a store, was told apart before."""


@dataclass(frozen=True)
class PictureInput:
    """One picture to come: the ``name`` to show, and its path, its place in a store or, from standard input, its bytes.

    ``relative`` is where it lies below the folder or glob in which it was ``found``; the name alone where the user
    named the picture itself.
    """

    name: str
    place: Path | bytes | StoredFile
    relative: Path = Path("-")
    found: bool = False

    @property
    def source(self) -> Path | bytes:
        """What it is decoded from; what lies in a store is read, or :class:`ImageError` raised."""
        return self.place.read() if isinstance(self.place, StoredFile) else self.place


def expand_inputs(arguments: Sequence[str], suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[PictureInput]:
    """Every picture, or file of other ``suffixes``, that the arguments stand for, folders recursively.

    They come in order, and sorted within a folder or glob.

    Raises:
        InputError: a folder or glob holds no pictures, standard input is empty or without end, or it looks like a
            source that nobody knows.
    """
    pictures: list[PictureInput] = []
    for argument in arguments:
        if argument == "-":
            pictures.append(PictureInput("-", _standard_input()))
            continue
        place = on_this_machine_or_stored(argument)
        found: Sequence[PictureInput] = (
            _stored(place, suffixes) if isinstance(place, StoredFile) else _of_this_machine(argument, place, suffixes)
        )
        if not found:
            raise InputError(f"{argument!r} holds no pictures ({', '.join(sorted(suffixes))})")
        pictures += found
    return pictures


def _of_this_machine(argument: str, place: Path, suffixes: Collection[str]) -> list[PictureInput]:
    # A URL of a file is as its path.
    argument = argument if Path(argument) == place else str(place)
    found = _files(argument, suffixes)
    if found == [Path(argument)] and _SOURCE.match(argument) and not os.path.exists(argument):  # noqa: PTH110
        raise InputError(
            f"{argument!r} is neither a file nor a source that is known; a camera is camera:0, a stream rtsp://HOST/PATH"
        )
    root = _root(argument)
    named = found == [Path(argument)]
    return [PictureInput(str(path), path, path.relative_to(root), not named) for path in found]


def _stored(place: StoredFile, suffixes: Collection[str]) -> list[PictureInput]:
    root, found = stored_files(place, suffixes)
    return [PictureInput(str(file), file, Path(file.path.relative_to(root.path)), file != place) for file in found]


def _standard_input() -> bytes:
    try:
        data = sys.stdin.buffer.read(LARGEST_IN_MEMORY + 1) if sys.stdin is not None else b""
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror}") from error
    if not data:
        raise InputError("standard input is empty; pipe a picture into it")
    if len(data) > LARGEST_IN_MEMORY:
        raise InputError(
            f"standard input holds more than {LARGEST_IN_MEMORY >> 20} MB; name the picture's file instead"
        )
    return data


def _files(argument: str, suffixes: Collection[str]) -> list[Path]:
    if _is_folder(argument):
        return _pictures(files_below(Path(argument)), suffixes)
    if _is_pattern(argument):
        return _pictures(matching_files(argument), suffixes)
    return [Path(argument)]


def _root(argument: str) -> Path:
    """The folder that a tree of results mirrors: the argument itself, or what comes before a glob's first magic."""
    path = Path(argument)
    if _is_folder(argument):
        return path
    if not _is_pattern(argument):
        return path.parent
    return Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))


def _is_folder(argument: str) -> bool:
    # Unlike the method of a path, it says no for names that no file can have and for what may not be looked at.
    return os.path.isdir(argument)  # noqa: PTH112


def _is_pattern(argument: str) -> bool:
    return glob.has_magic(argument) and not os.path.exists(argument)  # noqa: PTH110


def _pictures(paths: Iterable[Path], suffixes: Collection[str]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in suffixes)
