"""``NAME.candidates/``: the forms among which a verdict chose, as model files to measure again."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from edgevision.core.atomic_files import temporary_folder, translated_write_errors
from edgevision.core.errors import InputError
from edgevision.core.regular_files import open_regular
from edgevision.exporters.model_writing import write_model
from edgevision.exporters.output_files import candidates_folder, check_candidates_folder
from edgevision.modelfiles.graph_check import shapes_match
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.benchmark.timing import Feeds

_INPUTS = "inputs.npz"
"""What the candidates were timed on by turns, in their folder: of each input all arrays, stacked."""


def keep_candidates(
    candidates: Mapping[str, tuple[onnx.ModelProto, ModelMetadata]],
    feeds: Sequence[Feeds],
    output: Path,
    format: ModelFormat,
    *,
    force: bool,
) -> dict[str, tuple[str, str]]:
    """Write each, named after its row of the table, into the folder beside ``output``; all of them or nothing.

    Args:
        feeds: what they were timed on by turns, all of the same shapes, which is kept too.

    Returns:
        Of each the name of its file and the SHA-256 of that.

    Raises:
        OutputError, DiskFullError: they cannot be written; what is there stays as it was.
    """
    folder = candidates_folder(output)
    with translated_write_errors(folder), temporary_folder(output.parent) as temporary:
        new = temporary / "new"
        new.mkdir()
        kept = {}
        for name, (model, metadata) in candidates.items():
            file = new / f"{name.replace(' ', '-')}{format.suffix}"
            write_model(model, file, format, metadata)
            kept[name] = file.name, hashlib.sha256(file.read_bytes()).hexdigest()
        by_name = {name: np.stack([one[name] for one in feeds]) for name in feeds[0]}
        np.savez(new / _INPUTS, allow_pickle=False, **by_name)
        check_candidates_folder(output, force=force)
        if folder.exists():
            folder.rename(temporary / "old")
        new.rename(folder)
    return kept


def kept_feeds(output: Path, inputs: Sequence[TensorSpec]) -> list[Feeds]:
    """What the candidates kept beside ``output`` were timed on by turns.

    Raises:
        InputError: it cannot be read, or is not for a model of these ``inputs``.
    """
    file = candidates_folder(output) / _INPUTS
    try:
        with open_regular(file) as content, np.load(content, allow_pickle=False) as archive:
            stacked = {name: archive[name] for name in archive.files}
    except Exception as error:  # a zip that is cut off or lies ends in almost anything
        reason = (isinstance(error, OSError) and error.strerror) or "it is damaged"
        raise InputError(f"{str(file)!r} cannot be read: {reason}; export the model again") from error
    found = {name: array.shape[1:] for name, array in stacked.items()}
    counts = {len(array) if array.ndim else 0 for array in stacked.values()}
    if (
        len(counts) != 1
        or 0 in counts
        or any(not shapes_match(spec.shape, found.get(spec.name, ())) for spec in inputs)
    ):
        # Before inputs took turns there was one array of each, not stacked.
        raise InputError(f"{str(file)!r} is not what these candidates were timed on: export the model again")
    return [dict(zip(stacked, arrays, strict=True)) for arrays in zip(*stacked.values(), strict=True)]
