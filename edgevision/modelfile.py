"""A model file seen from outside: its format, its metadata and what it holds, without an engine to run it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from edgevision.checkpoint_file import checkpoint_metadata
from edgevision.errors import ModelFileError
from edgevision.files import sha256_of
from edgevision.metadata import ModelMetadata, TensorSpec
from edgevision.onnx_file import check_onnx, onnx_facts, onnx_metadata
from edgevision.openvino_file import check_openvino, openvino_facts, openvino_metadata
from edgevision.records import Record


class ModelFormat(StrEnum):
    """The kinds of file the project writes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    CHECKPOINT = "checkpoint"


_SUFFIXES = {".onnx": ModelFormat.ONNX, ".xml": ModelFormat.OPENVINO, ".pt": ModelFormat.CHECKPOINT}

_METADATA: Mapping[ModelFormat, Callable[[Path], str | None]] = {
    ModelFormat.ONNX: onnx_metadata,
    ModelFormat.OPENVINO: openvino_metadata,
    ModelFormat.CHECKPOINT: checkpoint_metadata,
}


@dataclass(frozen=True, kw_only=True)
class ModelFacts(Record):
    """What a model file holds. ``weights`` counts numbers, ``size_bytes`` includes weights kept beside the file."""

    format: ModelFormat
    size_bytes: int
    sha256: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    weights: int | None = None
    metadata: ModelMetadata | None = None


def model_format(path: Path) -> ModelFormat:
    """The format by the file's ending.

    Raises:
        ModelFileError: no such file, or an ending of no model file.
    """
    known = _SUFFIXES.get(path.suffix.lower())
    if known is None:
        raise ModelFileError(f"{str(path)!r} is no model file; one ends in .onnx or .xml (OpenVINO)")
    if not path.is_file():
        raise ModelFileError(f"the model {str(path)!r} does not exist")
    return known


def read_metadata(path: Path) -> ModelMetadata | None:
    """The metadata inside a model file or the project's own checkpoint; ``None`` where there is none.

    Raises:
        ModelFileError: no such file, damaged, or metadata this release cannot read.
    """
    document = _METADATA[model_format(path)](path)
    return None if document is None else ModelMetadata.from_json(document, repr(path.name))


def check_model_file(path: Path) -> ModelFormat:
    """The format of a file an engine is about to load; refuses what the engine would stumble over without saying why.

    Raises:
        ModelFileError: missing, cut off, not a model, weights missing or outside the model's folder.
    """
    kind = model_format(path)
    if kind is ModelFormat.CHECKPOINT:
        raise ModelFileError(f"{str(path)!r} is a checkpoint; make a model of it first: edgevision export {path}")
    (check_onnx if kind is ModelFormat.ONNX else check_openvino)(path)
    return kind


def read_facts(path: Path) -> ModelFacts:
    """All that can be read without running the model; raises as :func:`read_metadata`."""
    kind = model_format(path)
    facts: dict[str, Any] = {"size_bytes": path.stat().st_size}
    if kind is ModelFormat.ONNX:
        facts = onnx_facts(path)
    elif kind is ModelFormat.OPENVINO:
        facts = openvino_facts(path)
    return ModelFacts(format=kind, sha256=sha256_of(path), metadata=read_metadata(path), **facts)
