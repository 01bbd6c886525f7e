"""What a user names on the command line, as single pictures: files, folders, globs, and ``-`` for standard input."""

import glob
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.folder_search import files_below, matching_files
from edgevision.core.regular_files import LARGEST_IN_MEMORY
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES


@dataclass(frozen=True)
class PictureInput:
    """One picture to come: the ``name`` to show, and its path or, from standard input, its bytes.

    ``relative`` is where it lies below the folder or glob in which it was ``found``; the name alone where the user
    named the picture itself.
    """

    name: str
    source: Path | bytes
    relative: Path = Path("-")
    found: bool = False


def expand_inputs(arguments: Sequence[str], suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[PictureInput]:
    """Every picture, or file of other ``suffixes``, that the arguments stand for, folders recursively.

    They come in order, and sorted within a folder or glob.

    Raises:
        InputError: a folder or glob holds no pictures, or standard input is empty or without end.
    """
    pictures: list[PictureInput] = []
    for argument in arguments:
        if argument == "-":
            pictures.append(PictureInput("-", _standard_input()))
            continue
        found = _files(argument, suffixes)
        if not found:
            raise InputError(f"{argument!r} holds no pictures ({', '.join(sorted(suffixes))})")
        root = _root(argument)
        named = found == [Path(argument)]
        pictures += [PictureInput(str(path), path, path.relative_to(root), not named) for path in found]
    return pictures


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
