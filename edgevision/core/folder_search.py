"""Finding files below folders and by patterns: every real folder once, so that no loop of links is followed twice."""

import fnmatch
import glob
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgevision.core.errors import InputError

_log = logging.getLogger(__name__)

_MOST_FOLDERS = 100_000
"""A search of more is one of a whole system, by way of a link perhaps."""

Identity = tuple[int, int]
"""Device and inode: two names of one folder have the same."""


def files_below(root: Path) -> Iterator[Path]:
    """The regular files in ``root`` and all folders below it.

    Links to folders are followed, but of several names for one real folder only one is searched: a real one before
    links. What is hidden, as temporary folders are, and what is not a regular file (a pipe, a device) is left out; a
    folder that cannot be searched is named in a warning.

    Raises:
        InputError: there are more than 100,000 folders.
    """
    for _, entries in _folders_below(root, set()):
        yield from _files(entries)


def matching_files(pattern: str) -> Iterator[Path]:
    """The regular files that a pattern of the shell matches; ``**`` is any number of folders, searched as above."""
    *parts, last = Path(pattern).parts
    folders = [Path()]
    for part in parts:
        seen: set[Identity] = set()
        folders = [step for folder in folders for step in _steps(folder, part, seen)]
    if last == "**":
        found: set[Identity] = set()
        yield from (file for folder in folders for _, below in _folders_below(folder, found) for file in _files(below))
    else:
        yield from (file for folder in folders for file in _files(_entries(folder, last)) if _fits(file.name, last))


def _steps(folder: Path, part: str, seen: set[Identity]) -> Iterable[Path]:
    """The folders, but for those in ``seen``, that one part of a pattern leads to."""
    if part == "**":
        return (below for below, _ in _folders_below(folder, seen))
    if not glob.has_magic(part):
        return [folder / part] if _is_new(folder / part, seen) else []
    fitting = [entry for entry in _entries(folder, part) if _is_folder(entry) and _fits(entry.name, part)]
    fitting.sort(key=lambda entry: (entry.is_symlink(), entry.name))
    return [Path(entry.path) for entry in fitting if _is_new(entry, seen)]


def _folders_below(root: Path, seen: set[Identity]) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """``root`` and all below it with what lies in them, but for those in ``seen``."""
    real, linked = [root], deque[Path]()
    while real or linked:
        folder = real.pop() if real else linked.popleft()
        if not _is_new(folder, seen):
            continue
        if len(seen) > _MOST_FOLDERS:
            raise InputError(f"{str(root)!r} holds more than {_MOST_FOLDERS} folders; name the one that is meant")
        entries = _entries(folder)
        yield folder, entries
        for entry in entries:
            if _is_folder(entry):
                (linked if entry.is_symlink() else real).append(Path(entry.path))


def _files(entries: Iterable[os.DirEntry[str]]) -> Iterator[Path]:
    return (Path(entry.path) for entry in entries if _is_file(entry))


def _entries(folder: Path, part: str = "*") -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted; hidden ones only for a ``part`` of a pattern that asks for them."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if part.startswith(".") or not entry.name.startswith(".")]
    except OSError as error:
        _log.warning("%r cannot be searched, and is left out: %s", str(folder), error.strerror)
        return []
    return sorted(found, key=lambda entry: entry.name)


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(os.path.normcase(name), os.path.normcase(part))


def _is_new(folder: Path | os.DirEntry[str], seen: set[Identity]) -> bool:
    """Whether this folder is there and not in ``seen``, into which it is put."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - an entry is no Path
    except OSError:
        return False
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
