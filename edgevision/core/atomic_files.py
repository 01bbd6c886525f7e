"""Writing files so that a crash, a full disk or Ctrl-C leaves the old file or none."""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edgevision.core.errors import DISK_FULL, DiskFullError, OutputError
from edgevision.core.file_system import locked, rename_over
from edgevision.core.regular_files import real_path

_UNUSABLE_PATH = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR)

PREFIX = ".edgevision-writing-"
"""How their names begin. What is hidden is never searched for pictures."""

_tidied: set[Path] = set()
_tidying = threading.Lock()


def check_writable(path: Path, *, force: bool = False) -> None:
    """Refuse an output path before the work starts instead of after it.

    Raises:
        OutputError: the folder does not exist or cannot be written, ``path`` is a folder or a device, or it exists and
            ``force`` is false, or the name is one that no file can have.
    """
    folder = path.parent
    with translated_write_errors(path):
        if not folder.is_dir():
            raise OutputError(f"the output folder {str(folder)!r} does not exist; create it or choose another -o")
        if path.is_dir():
            raise OutputError(f"the output {str(path)!r} is a folder; give a file name")
        if path.exists() and not path.is_file():
            raise OutputError(f"the output {str(path)!r} is not a regular file; give the name of one")
        if not force and os.path.lexists(path):
            raise OutputError(f"{str(path)!r} exists already; --force overwrites it")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the output folder {str(folder)!r} cannot be written; choose another with -o")


def check_all_writable(paths: Sequence[Path], *, force: bool = False) -> None:
    """As :func:`check_writable` for the outputs of one call; :class:`OutputError` too where two are the same file."""
    for number, path in enumerate(paths):
        check_writable(path, force=force)
        if any(real_path(path) == real_path(other) for other in paths[:number]):
            raise OutputError(f"{str(path)!r} is given for two outputs; each needs a name of its own")


@contextmanager
def atomic_folder(target: Path, *, force: bool = True, replaced: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder beside ``target``: what the block writes into it is moved to ``target``'s folder at the end.

    Each file gets its final name only when the block has finished without an error, in sorted order, so a reader never
    sees half a file. On any error, KeyboardInterrupt included, nothing is moved and the temporary folder is removed.

    Without ``force`` nothing is moved either where ``target`` or another of the names has come to be meanwhile, as by a
    second process; only files called as in ``replaced`` are then overwritten.

    Raises:
        DiskFullError: the disk, the quota or the file size limit was reached.
        OutputError: the folder cannot be written, or without ``force`` a file is there by now.
    """
    with translated_write_errors(target), temporary_folder(target.parent) as folder:
        yield folder
        files = sorted(folder.iterdir())
        for file in files:
            _flush_to_disk(file)
        if not force:
            _move_where_none_is(target, [file for file in files if file.name not in replaced])
            files = [file for file in files if file.name in replaced]
        for file in files:
            rename_over(file, target.parent / file.name)


@contextmanager
def atomic_file(target: Path, *, force: bool = True) -> Iterator[Path]:
    """A path to write instead of ``target``, renamed to it when the block ends well; see :func:`atomic_folder`."""
    with atomic_folder(target, force=force) as folder:
        yield folder / target.name


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
            with locked(folder) as is_locked:
                if is_locked is not False and folder.exists():
                    yield folder
                    return


@contextmanager
def translated_write_errors(target: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write ``target`` into the project's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(
                f"no space left to write {str(target)!r}; nothing was kept, free some space and run again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(
                f"the output folder {str(target.parent)!r} cannot be written; choose another with -o"
            ) from error
        if error.errno not in _UNUSABLE_PATH and not target.parent.is_dir():
            raise OutputError(
                f"the output folder {str(target.parent)!r} does not exist; create it or choose another -o"
            ) from error
        if error.errno in _UNUSABLE_PATH or _is_ours(error.filename, target):
            raise OutputError(f"{str(target)!r} cannot be written: {error.strerror}; choose another -o") from error
        raise


def _is_ours(name: str | bytes | int | None, target: Path) -> bool:
    """Whether what the system refused is what stands for ``target``, as in /proc, where nothing can be made."""
    return isinstance(name, str) and (Path(name) == target or Path(name).name.startswith(PREFIX))


def _flush_to_disk(file: Path) -> None:
    # Without this a power cut after the rename can leave an empty file under the final name.
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def _move_where_none_is(target: Path, files: Sequence[Path]) -> None:
    """Move the files to ``target``'s folder, all or none, where neither ``target`` nor one of their names exists."""
    moved: list[Path] = []
    try:
        for name in (target.name, *(file.name for file in files)):
            if os.path.lexists(target.parent / name):
                raise FileExistsError
        for file in files:
            _rename_to_new(file, target.parent / file.name)
            moved.append(target.parent / file.name)
    except BaseException as error:
        for path in moved:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise OutputError(
                f"{str(target)!r} has come to be meanwhile and is left as it is; --force overwrites it"
            ) from error
        raise


def _rename_to_new(file: Path, path: Path) -> None:
    """As a rename, but with FileExistsError where ``path`` exists."""
    try:
        path.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:  # the file system has no second names for a file, as that of most memory cards
        path.touch(exist_ok=False)
        try:
            rename_over(file, path)
        except BaseException:
            path.unlink()
            raise
    else:
        file.unlink()


def _remove_left_behind(place: Path) -> None:
    with _tidying:
        if place in _tidied:
            return
        _tidied.add(place)
    with suppress(OSError):  # what cannot be listed or removed is no reason not to write
        for folder in place.glob(f"{PREFIX}*"):
            with locked(folder) as is_locked:
                if is_locked and folder.stat().st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
