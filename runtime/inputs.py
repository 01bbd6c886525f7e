"""What a user names on the command line, as single pictures: files, folders, globs, and ``-`` for standard input."""

import glob
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from edgevision.errors import InputError
from edgevision.images import IMAGE_SUFFIXES


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
        InputError: a folder or glob holds no pictures, or standard input is empty.
    """
    pictures: list[PictureInput] = []
    for word in words:
        if word == "-":
            data = sys.stdin.buffer.read()
            if not data:
                raise InputError("standard input is empty; pipe a picture into it")
            pictures.append(PictureInput("-", data))
            continue
        found = _files(word)
        if not found:
            raise InputError(f"{word!r} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
        root = _root(word)
        named = found == [Path(word)]
        pictures += [PictureInput(str(path), path, path.relative_to(root), not named) for path in found]
    return pictures


def _files(word: str) -> list[Path]:
    path = Path(word)
    if path.is_dir():
        return _pictures(path.rglob("*"))
    if not path.exists() and glob.has_magic(word):
        return _pictures(Path(match) for match in glob.iglob(word, recursive=True))  # noqa: PTH207 - absolute too
    return [path]


def _root(word: str) -> Path:
    """The folder that a tree of results is to mirror: the word itself, or what comes before a glob's first magic."""
    path = Path(word)
    if path.is_dir():
        return path
    if path.exists() or not glob.has_magic(word):
        return path.parent
    return Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))


def _pictures(paths: Iterable[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
