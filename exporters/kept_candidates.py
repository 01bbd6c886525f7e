"""``NAME.candidates/``: the forms among which a verdict chose, as model files to measure again."""

import os
from collections.abc import Mapping
from pathlib import Path

import onnx

from edgevision.core.atomic_files import temporary_folder, translated_write_errors
from edgevision.core.errors import OutputError
from edgevision.exporters.model_writing import write_model
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import ModelFormat


def candidates_folder(output: Path) -> Path:
    """Where the candidates of a model file are kept."""
    return output.with_suffix(".candidates")


def check_candidates_folder(output: Path, *, force: bool) -> None:
    """Refuse before the work starts what :func:`keep_candidates` would.

    Raises:
        OutputError: there is such a folder and ``force`` is false, or it is something else.
    """
    folder = candidates_folder(output)
    if os.path.lexists(folder) and (not folder.is_dir() or folder.is_symlink()):
        raise OutputError(f"the candidates cannot be kept: {str(folder)!r} is no folder; move it away")
    if folder.exists() and not force:
        raise OutputError(f"{str(folder)!r} exists already; --force replaces it")


def keep_candidates(
    candidates: Mapping[str, tuple[onnx.ModelProto, ModelMetadata]], output: Path, format: ModelFormat, *, force: bool
) -> None:
    """Write each, named after its row of the table, into the folder beside ``output``; all of them or nothing.

    Raises:
        OutputError, DiskFullError: they cannot be written; what is there stays as it was.
    """
    folder = candidates_folder(output)
    with translated_write_errors(folder), temporary_folder(output.parent) as temporary:
        new = temporary / "new"
        new.mkdir()
        for name, (model, metadata) in candidates.items():
            write_model(model, new / f"{name.replace(' ', '-')}{format.suffix}", format, metadata)
        check_candidates_folder(output, force=force)
        if folder.exists():
            folder.rename(temporary / "old")
        new.rename(folder)
