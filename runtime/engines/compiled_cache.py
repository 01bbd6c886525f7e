"""What was compiled for a device once, kept for the next start: safe against corruption and two processes at once."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from edgevision.core.errors import OutputError
from edgevision.core.file_system import locked, rename_over
from edgevision.core.regular_files import sha256

T = TypeVar("T")

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_MOST_ENTRIES = 32


def cache_folder() -> Path:
    """``edgevision/compiled`` in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevision" / "compiled"


def compiled(facts: Mapping[str, str], build: Callable[[Path], T], reopen: Callable[[Path], T]) -> T:
    """What ``reopen`` makes of the files that an earlier ``build`` left in its folder, or else ``build`` itself.

    ``facts`` is all that the files depend on: the model's hash, the versions of engine and driver, the options. One
    process builds while others wait, and then reopen. Files that have changed, or that ``reopen`` fails on, are built
    again. Where nothing can be stored ``build`` gets a folder that is thrown away. Errors of ``build`` pass.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_folder() / key
    with ExitStack() as held:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = folder.with_suffix(".lock")
            lock.touch()
            # Where there are no locks two processes may build the same, and one of the results stays.
            held.enter_context(locked(lock, waiting=_say_waiting))
            fresh = Path(held.enter_context(tempfile.TemporaryDirectory(dir=folder.parent))) / key
            fresh.mkdir()
        except OSError as error:
            _log.warning("what is compiled cannot be kept in %s: %s", folder.parent, error)
            return build(Path(held.enter_context(tempfile.TemporaryDirectory())))
        if folder.is_dir():
            try:
                _check(folder)
                result = reopen(folder)
            except Exception as error:  # whatever is wrong with it, it can be built again
                _log.warning("what was compiled into %s cannot be used any more and is made again: %s", folder, error)
            else:
                os.utime(folder)
                return result
        result = build(fresh)
        try:
            _publish(fresh, folder)
        except (OSError, OutputError) as error:
            _log.warning("what was compiled cannot be kept in %s: %s", folder.parent, error)
        return result


def _say_waiting() -> None:
    _log.info("waiting for another process that compiles the same model ...")


def _publish(fresh: Path, folder: Path) -> None:
    manifest = {file.name: sha256(file) for file in fresh.iterdir()}
    (fresh / _MANIFEST).write_text(json.dumps(manifest))
    shutil.rmtree(folder, ignore_errors=True)
    rename_over(fresh, folder)
    entries = sorted((f for f in folder.parent.iterdir() if (f / _MANIFEST).is_file()), key=lambda f: f.stat().st_mtime)
    for old in entries[:-_MOST_ENTRIES]:
        shutil.rmtree(old, ignore_errors=True)


def _check(folder: Path) -> None:
    manifest = json.loads((folder / _MANIFEST).read_text())
    for name, digest in manifest.items():
        if sha256(folder / name) != digest:
            raise ValueError(f"{name} has changed")
