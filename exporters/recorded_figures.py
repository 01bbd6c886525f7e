"""Figures that were measured after the export, written into the model: its card travels with it."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.modelfiles.metadata import METADATA_KEY
from edgevision.modelfiles.model_file import ModelFormat, is_encrypted, model_format, require_metadata


def check_recordable(model: Path) -> None:
    """Raise :class:`InputError` where figures cannot be written into a model."""
    if model_format(model) is not ModelFormat.ONNX or is_encrypted(model):
        raise InputError(f"--record writes into .onnx models that are not encrypted, and {model.name!r} is none")


def record_figures(model: Path, figures: Mapping[str, float]) -> None:
    """Write ``figures`` among the ``quality`` of a model's metadata; weights that lie beside it stay there."""
    metadata = require_metadata(model)
    graph = onnx.load(model, load_external_data=False)
    rounded = {name: round(value, 4) for name, value in figures.items()}
    add_metadata(graph, METADATA_KEY, metadata.updated(quality={**metadata.quality, **rounded}).to_json())
    with atomic_file(model) as temporary:
        temporary.write_bytes(graph.SerializeToString())
