"""Reading the metadata of the project's own checkpoint without torch, and without running anything in the file."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.checkpoint_archive import open_archive
from edgevision.modelfiles.metadata import METADATA_KEY
from edgevision.modelfiles.model_description import ModelDescription
from edgevision.modelfiles.pickle_reader import INERT, Builder, PickleReader, memory_for

_DICT = Builder("collections.OrderedDict", OrderedDict)


def describe(path: Path) -> ModelDescription:
    """The project's JSON document in a ``.pt``, or none where it is somebody else's; a checkpoint has no graph."""
    try:
        with open_archive(path) as archive:
            content = _read_inertly(archive.read("data.pkl"), path) if "data.pkl" in archive.names else None
    except ValueError as error:
        raise ModelFileError(
            f"{str(path)!r} is damaged, cut off or not a checkpoint of this project: {error}"
        ) from error
    found = content.get(METADATA_KEY) if isinstance(content, dict) else None
    return ModelDescription(found if isinstance(found, str) else None, graph=None)


def _read_inertly(pickled: bytes, path: Path) -> Any:
    """The plain dicts and strings of a pickle; all else in it stays undone."""
    return PickleReader(
        pickled,
        find_global=lambda module, name: _DICT if name == "OrderedDict" else INERT,
        find_persistent=lambda identity: INERT,
        memory=memory_for(path.stat().st_size),
    ).read()
