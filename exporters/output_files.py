"""What an export writes: how it is called by default, and what may be in its place already."""

import json
import os
from pathlib import Path

from edgevision.core.atomic_files import check_all_writable, check_writable
from edgevision.core.errors import InputError, OutputError
from edgevision.core.regular_files import read_text_file
from edgevision.exporters.checkpoint_names import stem
from edgevision.exporters.format_writers import WRITERS
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import ModelFormat, companion_path, report_path

SEARCH = '{"search": '
"""How the log of a search begins."""


def output_file(checkpoint: Path, output: Path | None, format: ModelFormat, precision: Precision) -> Path:
    """The model file to write: ``output``, or beside the ``checkpoint``; an ONNX model is not written over itself.

    Raises:
        InputError: it does not end as the ``format`` does.
    """
    if output is None:
        beside = checkpoint.with_name(f"{stem(checkpoint)}{WRITERS[format].infix}{format.suffix}")
        same = beside == checkpoint
        return checkpoint.with_name(f"{checkpoint.stem}-{precision}{checkpoint.suffix}") if same else beside
    if output.suffix != format.suffix:
        raise InputError(f"an {format} model's name ends in {format.suffix}, not {output.name!r}")
    return output


def check_output_files(model: Path, format: ModelFormat, *, int8: bool, keep_candidates: bool, force: bool) -> None:
    """Refuse before the work starts what would be written over.

    What an export of the same ``model`` has left that failed or was interrupted is no reason for ``force``.

    Raises:
        OutputError: a file cannot be written, or is there already and ``force`` is false.
    """
    check_all_writable([model, *map(model.with_suffix, WRITERS[format].beside)], force=force)
    report = report_path(model)
    check_writable(report, force=force or _is_about(report, model))
    if int8:
        log = search_log(model)
        check_writable(log, force=force or _is_search(log))
    if int8 and keep_candidates:
        check_candidates_folder(model, force=force)


def search_log(model: Path) -> Path:
    """Where the candidates of a search are noted until it is done."""
    return companion_path(model, ".search.jsonl")


def candidates_folder(model: Path) -> Path:
    """Where the candidates of a model file are kept."""
    return companion_path(model, ".candidates")


def check_candidates_folder(model: Path, *, force: bool) -> None:
    """Refuse before the work starts what :func:`.keep_candidates` would.

    Raises:
        OutputError: there is such a folder and ``force`` is false, or it is something else.
    """
    folder = candidates_folder(model)
    if os.path.lexists(folder) and (not folder.is_dir() or folder.is_symlink()):
        raise OutputError(f"the candidates cannot be kept: {str(folder)!r} is no folder; move it away")
    if folder.exists() and not force:
        raise OutputError(f"{str(folder)!r} exists already; --force replaces it")


def _is_about(report: Path, model: Path) -> bool:
    """Whether an export has written it of a ``model`` of this name."""
    try:
        document = json.loads(read_text_file(report, "the report"))
    except (InputError, ValueError):
        return False
    return isinstance(document, dict) and document.get("model") == model.name and "parity" in document


def _is_search(log: Path) -> bool:
    """Whether a search has written it."""
    try:
        return read_text_file(log, "the log of the search").startswith(SEARCH)
    except InputError:
        return False
