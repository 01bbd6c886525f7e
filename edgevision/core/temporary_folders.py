"""Temporary folders beside what is being written, and the removal of those that a killed process left."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".edgevision-writing-"
"""How their names begin. What is hidden is never searched for pictures."""

_tidied: set[Path] = set()
_tidying = threading.Lock()


@contextmanager
def temporary_folder(place: Path) -> Iterator[Path]:
    """A new folder in ``place`` for files that are to be moved to it; removed at the end of the block, however it ends.

    It is locked as long as this process lives, so that others can tell whether it was left behind: the first use of a
    ``place`` removes those that were. Files made in it get the permissions that they would get in ``place``.
    """
    _remove_left_behind(place)
    while True:
        # In the moment before it is locked another process may take it for one left behind.
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with _locked(folder) as is_locked:
                if is_locked is not False and folder.exists():
                    yield folder
                    return


@contextmanager
def _locked(folder: Path) -> Iterator[bool | None]:
    """Lock a folder during the block: whether it is, or ``None`` where there are no such locks.

    The kernel takes the lock away when the process ends, in whatever way.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield None
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked: bool | None = True
    except BlockingIOError:
        is_locked = False
    except OSError:  # the file system has none, as that of a network
        is_locked = None
    try:
        yield is_locked
    finally:
        os.close(descriptor)


def _remove_left_behind(place: Path) -> None:
    with _tidying:
        if place in _tidied:
            return
        _tidied.add(place)
    with suppress(OSError):  # what cannot be listed or removed is no reason not to write
        for folder in place.glob(f"{PREFIX}*"):
            with _locked(folder) as is_locked:
                if is_locked and folder.stat().st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
