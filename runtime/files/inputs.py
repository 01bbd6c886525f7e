"""What a user names on the command line, as single pictures: files, folders, globs, and ``-`` for standard input."""

import glob
import os
import sys
from collections.abc import Iterable, Sequence
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


def expand_inputs(words: Sequence[str]) -> list[PictureInput]:
    """Every picture the words stand for, folders recursively, in order and sorted within a folder or glob.

    Raises:
        InputError: a folder or glob holds no pictures, or standard input is empty or without end.
    """
    pictures: list[PictureInput] = []
    for word in words:
        if word == "-":
            pictures.append(PictureInput("-", _standard_input()))
            continue
        found = _files(word)
        if not found:
            raise InputError(f"{word!r} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
        root = _root(word)
        named = found == [Path(word)]
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


def _files(word: str) -> list[Path]:
    if _is_folder(word):
        return _pictures(files_below(Path(word)))
    if _is_pattern(word):
        return _pictures(matching_files(word))
    return [Path(word)]


def _root(word: str) -> Path:
    """The folder that a tree of results is to mirror: the word itself, or what comes before a glob's first magic."""
    path = Path(word)
    if _is_folder(word):
        return path
    if not _is_pattern(word):
        return path.parent
    return Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))


def _is_folder(word: str) -> bool:
    # Unlike the method of a path, it says no for names that no file can have and for what may not be looked at.
    return os.path.isdir(word)  # noqa: PTH112


def _is_pattern(word: str) -> bool:
    return glob.has_magic(word) and not os.path.exists(word)  # noqa: PTH110


def _pictures(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)
