"""Where systems differ in what they let a program do with files, in one place: renaming over a file, and locks."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevision.core.errors import OutputError

# ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION: what Windows says where somebody has the file open. Scanners for
# viruses and indexers do for a moment.
_IN_USE = (5, 32)
_PAUSES = (0.02, 0.05, 0.1, 0.3, 0.5)
"""Seconds before each new try."""


def rename_over(path: Path, target: Path) -> None:
    """Rename a file or folder to ``target``, which it takes the place of.

    Raises:
        OutputError: on Windows, another program holds one of them open, for longer than a moment.
        OSError: the system refuses it for another reason.
    """
    for pause in (*_PAUSES, None):
        try:
            path.replace(target)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE or not target.exists():
                raise
            if pause is None:
                raise OutputError(
                    f"{str(target)!r} is open in another program; close it there and run again"
                ) from error
            time.sleep(pause)
        else:
            return


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[bool | None]:
    """Lock a file or folder during the block: whether it is, or ``None`` where the system has no such locks.

    The kernel takes the lock away when the process ends, in whatever way. Where another process has it the answer is
    false; with ``waiting``, which is called then, it is waited for.
    """
    try:
        import fcntl
    except ImportError:  # Windows, whose locks are for files only and no advice but force
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        is_locked = _try_lock(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
        if is_locked is False and waiting is not None:
            waiting()
            is_locked = _try_lock(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX))
        yield is_locked
    finally:
        os.close(descriptor)


def _try_lock(lock: Callable[[], None]) -> bool | None:
    try:
        lock()
    except BlockingIOError:
        return False
    except OSError:  # the file system has none, as that of a network
        return None
    return True
