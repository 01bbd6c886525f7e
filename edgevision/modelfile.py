"""A model file seen from outside: its format, its metadata and what it holds, without an engine to run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from edgevision.errors import ModelFileError
from edgevision.metadata import ModelMetadata, TensorSpec
from edgevision.records import Record


class ModelFormat(StrEnum):
    """The kinds of file the project writes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    CHECKPOINT = "checkpoint"


_SUFFIXES = {".onnx": ModelFormat.ONNX, ".xml": ModelFormat.OPENVINO, ".pt": ModelFormat.CHECKPOINT}

# Each reader is imported when a file of its kind comes by: XML and zip parsers would cost every start of an ONNX model.
_READERS = {
    ModelFormat.ONNX: "edgevision.onnx_file",
    ModelFormat.OPENVINO: "edgevision.openvino_file",
    ModelFormat.CHECKPOINT: "edgevision.checkpoint_file",
}


class _Reader(Protocol):
    """What each module of the table offers."""

    def read_document(self, path: Path) -> str | None: ...

    def check(self, path: Path) -> None: ...

    def read_facts(self, path: Path) -> dict[str, Any]: ...


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
    document = _reader(model_format(path)).read_document(path)
    return None if document is None else ModelMetadata.from_json(document, repr(path.name))


def check_model_file(path: Path) -> ModelFormat:
    """The format of a file an engine is about to load; refuses what the engine would stumble over without saying why.

    Raises:
        ModelFileError: missing, cut off, not a model, weights missing or outside the model's folder.
    """
    kind = model_format(path)
    _reader(kind).check(path)
    return kind


def read_facts(path: Path) -> ModelFacts:
    """All that can be read without running the model; raises as :func:`read_metadata`."""
    kind = model_format(path)
    metadata = read_metadata(path)
    return ModelFacts(format=kind, sha256=_sha256(path), metadata=metadata, **_reader(kind).read_facts(path))


def _reader(kind: ModelFormat) -> _Reader:
    return cast(_Reader, import_module(_READERS[kind]))


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
