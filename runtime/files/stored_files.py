"""Files that lie in a store of objects and not on this machine: ``s3://``, ``gs://``, ``az://`` and ``memory://``.

What they need to be let in (keys, an endpoint) they take from where their own libraries look for it; nothing of it
passes through here.
"""

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from edgevision.core.errors import DeviceError, EdgevisionError, ImageError, InputError, OutputError
from edgevision.core.extras import requires_extra
from edgevision.core.regular_files import LARGEST_IN_MEMORY

_URL = re.compile(r"(?P<store>[a-z][a-z0-9+.-]+)://(?P<path>.*)", re.DOTALL)
_ON_THIS_MACHINE = ("file", "local")

# In all of these a file appears when all of it has arrived.
_STORES = ("s3", "gs", "gcs", "az", "abfs", "memory")


@dataclass(frozen=True, order=True)
class StoredFile:
    """A file, or a folder, in the ``store`` that its URL begins with."""

    store: str
    path: PurePosixPath

    def __str__(self) -> str:
        return f"{self.store}://{self.path}"

    def __truediv__(self, below: PurePosixPath) -> "StoredFile":
        return StoredFile(self.store, self.path / below)

    def read(self) -> bytes:
        """All of it; :class:`ImageError` where that cannot be, or where it is too large to be a picture."""
        with _translated(self, "read", ImageError) as system:
            size = system.size(str(self.path))
            if size is not None and size > LARGEST_IN_MEMORY:
                raise ImageError(f"{str(self)!r} has more than {LARGEST_IN_MEMORY >> 20} MB; name a picture")
            content: bytes = system.cat_file(str(self.path))
            return content

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A file of this machine to write instead, which is stored when the block ends well, whole or not at all.

        Raises:
            OutputError: it cannot be stored.
        """
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, self.path.name)
            yield local
            with _translated(self, "written", OutputError) as system:
                system.put_file(str(local), str(self.path))

    def files_below(self) -> set["StoredFile"]:
        """Every file in this folder and its folders, which need not exist."""
        with _translated(self, "listed", InputError) as system:
            found = system.find(str(self.path))
        return {StoredFile(self.store, _relative_to_store(name)) for name in found}


def is_stored(text: str) -> bool:
    """Whether it is the URL of something in a store."""
    return text.partition("://")[0] in _STORES and "://" in text


def on_this_machine_or_stored(text: str) -> Path | StoredFile:
    """What a path or a URL names; one of ``file://`` is a path.

    Raises:
        InputError: a URL of something else.
    """
    found = _URL.fullmatch(text)
    if found is None:
        return Path(text)
    if found["store"] in _ON_THIS_MACHINE:
        return Path(unquote(found["path"]))
    if found["store"] not in _STORES:
        raise InputError(
            f"{text!r} is in no store that is known; a URL begins with {'://, '.join(_STORES)}:// or file://"
        )
    return StoredFile(found["store"], _relative_to_store(found["path"]))


def stored_files(place: StoredFile, suffixes: Collection[str]) -> tuple[StoredFile, list[StoredFile]]:
    """The folder in which files were looked for, and those of the ``suffixes`` that a folder or glob stands for.

    For a file that is named they are its folder and the file, whether it exists or not.

    Raises:
        InputError: the store does not answer.
        DeviceError: what speaks with it is not installed.
    """
    text = str(place.path)
    with _translated(place, "listed", InputError) as system:
        if re.search(r"[*?\[]", text):
            depth = next(number for number, part in enumerate(place.path.parts) if re.search(r"[*?\[]", part))
            root, names = PurePosixPath(*place.path.parts[:depth]), system.glob(text)
        elif system.isdir(text):
            root, names = place.path, system.find(text)
        else:
            return StoredFile(place.store, place.path.parent), [place]
    files = [_relative_to_store(name) for name in names]
    pictures = sorted(file for file in files if file.suffix.lower() in suffixes)
    return StoredFile(place.store, root), [StoredFile(place.store, file) for file in pictures]


def _relative_to_store(name: str) -> PurePosixPath:
    return PurePosixPath(name.lstrip("/"))


@contextmanager
def _translated(place: StoredFile, done: str, error_kind: type[EdgevisionError]) -> Iterator[Any]:
    """The file system of a store; what goes wrong with it is said as of ``place``."""
    with requires_extra("storage"):
        import fsspec
    try:
        system = fsspec.filesystem(place.store)
    except ImportError as error:
        raise DeviceError(f"{str(place)!r} takes a package that is not installed: {error}") from error
    try:
        yield system
    except EdgevisionError:
        raise
    except Exception as error:  # each store's library has errors of its own
        reason = (str(error).strip().splitlines() or [""])[0]
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        raise error_kind(f"{str(place)!r} cannot be {done}: {reason or type(error).__name__}") from error
