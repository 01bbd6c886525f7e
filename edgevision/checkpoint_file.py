"""Reading the metadata of the project's own checkpoint without torch, and without running anything in the file."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

from edgevision.errors import ModelFileError
from edgevision.metadata import METADATA_KEY


def read_document(path: Path) -> str | None:
    """The project's JSON document in a ``.pt``, or ``None`` where it is somebody else's."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            document = {} if pickled is None else _InertUnpickler(io.BytesIO(archive.read(pickled))).load()
    except Exception as error:  # a damaged pickle raises almost anything
        raise ModelFileError(f"{str(path)!r} is damaged, cut off or not a checkpoint of this project") from error
    found = document.get(METADATA_KEY) if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def check(path: Path) -> None:
    """Raise :class:`ModelFileError`: a checkpoint is no model that an engine could load."""
    raise ModelFileError(f"{str(path)!r} is a checkpoint; make a model of it first: edgevision export {path}")


def read_facts(path: Path) -> dict[str, Any]:
    """The fields of :class:`edgevision.modelfacts.ModelFacts` that a checkpoint tells without torch: its size."""
    return {"size_bytes": path.stat().st_size}


def companions(path: Path) -> tuple[str, ...]:
    """None: all of a checkpoint is in one file."""
    return ()


class _Inert:
    """Stands for whatever a pickle wants to build: it takes everything and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Inert":
        return super().__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> "_Inert":
        return self

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...


class _InertUnpickler(pickle.Unpickler):
    """Reads the plain dicts and strings of a pickle and runs none of its code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        return None
