"""Metadata of formats that have no room for them: in a file of the model's own name beside it."""

from pathlib import Path

from edgevision.core.regular_files import read_regular
from edgevision.modelfiles.external_data import ExternalData

ENDING = ".edgevision.json"
"""Of that file, in place of the model's suffix."""


def metadata_path(model: Path) -> Path:
    """Where they lie."""
    return model.with_suffix(ENDING)


def read_document(model: Path) -> tuple[str | None, tuple[ExternalData, ...]]:
    """The JSON of the metadata and the file that they lie in; ``None`` and nothing where there is none.

    Raises:
        ValueError: it is no text.
    """
    path = metadata_path(model)
    if not path.is_file():
        return None, ()
    return read_regular(path).decode(), (ExternalData(path.name, is_companion=True),)
