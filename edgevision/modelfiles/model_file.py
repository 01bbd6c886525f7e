"""A model file seen from outside: its format, its metadata and what it holds, without an engine to run it."""

import hashlib
import os
from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from edgevision.core.errors import ModelFileError
from edgevision.core.regular_files import sha256
from edgevision.modelfiles.external_data import ExternalData
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.metadata_check import check_graph, check_sense
from edgevision.modelfiles.model_description import Graph, ModelDescription


class ModelFormat(StrEnum):
    """The kinds of file the project writes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TFLITE = "tflite"
    NCNN = "ncnn"
    RKNN = "rknn"
    CHECKPOINT = "checkpoint"

    @property
    def suffix(self) -> str:
        """What the names of such files end in."""
        return _KINDS[self].suffix


class _Kind(NamedTuple):
    """One format: its ``suffix``, the engine it is called after where that is not the same, and its reader's module."""

    suffix: str
    reader: str
    engine: str = ""


# Each reader is imported when a file of its kind comes by: XML and zip parsers would cost every start of an ONNX model.
_KINDS = {
    ModelFormat.ONNX: _Kind(".onnx", "edgevision.modelfiles.onnx_file"),
    ModelFormat.OPENVINO: _Kind(".xml", "edgevision.modelfiles.openvino_file", "OpenVINO"),
    ModelFormat.TFLITE: _Kind(".tflite", "edgevision.modelfiles.tflite_file"),
    ModelFormat.NCNN: _Kind(".param", "edgevision.modelfiles.ncnn_file", "NCNN"),
    ModelFormat.RKNN: _Kind(".rknn", "edgevision.modelfiles.rknn_file"),
    ModelFormat.CHECKPOINT: _Kind(".pt", "edgevision.modelfiles.checkpoint_file"),
}
_BY_SUFFIX = {kind.suffix: format for format, kind in _KINDS.items()}

ENCRYPTED_FORMATS = (ModelFormat.ONNX, ModelFormat.OPENVINO)
"""Those whose engines load models from memory."""

ENCRYPTED_SUFFIX = ".age"
"""What the name of an encrypted model ends in, behind that of its format."""

MODEL_SUFFIXES = tuple(kind.suffix for format, kind in _KINDS.items() if format is not ModelFormat.CHECKPOINT)
"""Of what can be run."""

_REPORT = ".report.json"

# A thousand classes take some 30,000.
_LONGEST_DOCUMENT = 16_000_000


class Reader(Protocol):
    """What each module of the table offers."""

    def describe(self, path: Path) -> ModelDescription: ...


class ContentReader(Protocol):
    """What the modules of :data:`ENCRYPTED_FORMATS` offer besides."""

    def describe_content(self, content: bytes, name: str) -> ModelDescription: ...


def is_encrypted(path: Path) -> bool:
    """Whether the name is of an encrypted model: see :mod:`edgevision.modelfiles.encrypted_model`."""
    return path.suffix.lower() == ENCRYPTED_SUFFIX


def model_format(path: Path) -> ModelFormat:
    """The format by the file's ending.

    Raises:
        ModelFileError: no such file, or an ending of no model file.
    """
    known = _BY_SUFFIX.get((path.with_suffix("") if is_encrypted(path) else path).suffix.lower())
    if known is None or (is_encrypted(path) and known not in ENCRYPTED_FORMATS):
        raise ModelFileError(f"{str(path)!r} is no model file; one ends in {_endings()}")
    if not path.is_file():
        raise ModelFileError(f"the model {str(path)!r} does not exist")
    if not os.access(path, os.R_OK):
        raise ModelFileError(f"the model {str(path)!r} cannot be read: permission denied")
    return known


def describe(path: Path) -> ModelDescription:
    """What the file holds; it is parsed once, and again only when it has changed.

    Raises:
        ModelFileError: as :func:`model_format`, or damaged.
    """
    model_format(path)
    return _described(path.absolute(), _state(path))


def read_graph(path: Path) -> Graph:
    """The graph of a model, as :func:`describe`; :class:`ModelFileError` for a checkpoint, which has none."""
    # Said of any checkpoint, also of one whose content cannot be read without torch.
    graph = None if model_format(path) is ModelFormat.CHECKPOINT else describe(path).graph
    if graph is None:
        raise ModelFileError(f"{str(path)!r} is a checkpoint; make a model of it first: edgevision export {path}")
    return graph


def read_metadata(path: Path) -> ModelMetadata | None:
    """The metadata inside a model file or the project's own checkpoint; ``None`` where there is none.

    Raises:
        ModelFileError: no such file, damaged, metadata this release cannot read, or that contradicts itself or the
            model's graph.
    """
    model_format(path)
    return _checked_metadata(path.absolute(), _state(path))


def declared_metadata(path: Path) -> ModelMetadata | None:
    """As :func:`read_metadata`, of a file that may contradict itself: for showing what it says."""
    document = describe(path).document
    if document is not None and len(document) > _LONGEST_DOCUMENT:
        raise ModelFileError(
            f"{path.name!r} holds {len(document):,} characters of metadata; at most {_LONGEST_DOCUMENT:,} are read"
        )
    return None if document is None else ModelMetadata.from_json(document, repr(path.name))


def find_contradiction(metadata: ModelMetadata, graph: Graph | None) -> str | None:
    """What in ``metadata`` cannot be, by itself or with the graph of its file; ``None`` where all fits."""
    try:
        check_sense(metadata)
        if graph is not None:
            check_graph(metadata, graph.inputs, graph.outputs)
    except ValueError as error:
        return str(error)
    return None


def require_metadata(path: Path) -> ModelMetadata:
    """As :func:`read_metadata`, where nothing can be done without it: then ``None`` is a ModelFileError too."""
    metadata = read_metadata(path)
    if metadata is None:
        raise ModelFileError(
            f"{str(path)!r} carries no edgevision metadata, so how to feed it is unknown; edgevision export writes it"
        )
    return metadata


def check_model_file(path: Path) -> ModelFormat:
    """The format of a file an engine is about to load; refuses what the engine would stumble over without saying why.

    Raises:
        ModelFileError: missing, cut off, not a model, weights missing or outside the model's folder.
    """
    kind = model_format(path)
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ModelFileError(f"{str(path)!r} is no name in UTF-8, as engines want it: rename the file") from error
    graph = read_graph(path)
    if not graph.outputs:
        raise _damaged(path, "its graph has no output")
    for data in graph.external_data:
        data.check(path)
    return kind


def companions(path: Path) -> tuple[str, ...]:
    """The files that a model needs beside it, relative to its folder: weights kept outside, an IR's ``.bin``.

    Raises:
        ModelFileError: as :func:`check_model_file`.
    """
    check_model_file(path)
    return tuple(data.file for data in external_files(path))


def external_files(path: Path) -> tuple[ExternalData, ...]:
    """What a model refers to beside it, each file once, sorted by name."""
    graph = describe(path).graph
    files = {data.file: data for data in graph.external_data} if graph is not None else {}
    return tuple(files[name] for name in sorted(files))


def companion_path(model: Path, ending: str) -> Path:
    """What an export writes about a model: of ``net.onnx`` that is ``net.report.json``, of ``net.xml``, which may lie
    beside it, ``net.xml.report.json``.
    """
    if model.suffix == ModelFormat.ONNX.suffix:
        return model.with_suffix(ending)
    return model.with_name(f"{model.name}{ending}")


def report_path(model: Path) -> Path:
    """Where the report of an export is written, which says how the model was made and what was measured."""
    return companion_path(model, _REPORT)


def find_report(model: Path) -> Path:
    """As :func:`report_path`, or where there is none the one that was called as that of an ONNX model.

    So exports before 2026-11-27 called that of every format.
    """
    path, before = report_path(model), model.with_suffix(_REPORT)
    return before if before.is_file() and not path.exists() else path


def model_hash(path: Path) -> str:
    """The sha256 of a model, in hexadecimal: of the file, and with it of those that it needs beside it and that exist.

    Of a model in one file it is what ``sha256sum`` says.

    Raises:
        ModelFileError: as :func:`model_format`; damaged, or with weights outside its folder.
    """
    parts = [sha256(file) for file in _files(path)]
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


State = tuple[int, int, int]
"""Time of change, inode and size: another file, or another content, has others."""


def _state(path: Path) -> State:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def model_state(path: Path) -> tuple[State, ...]:
    """What tells that a model, or a file that it needs beside it, was changed, without reading all of them.

    Raises:
        ModelFileError: as :func:`model_hash`.
    """
    return tuple(map(_state, _files(path)))


def _files(path: Path) -> list[Path]:
    """The model's own and those that it needs beside it and that exist."""
    beside = [data.path(path) for data in external_files(path)]
    return [path, *(file for file in beside if file.is_file())]


def _endings() -> str:
    """As in ``.onnx, .xml (OpenVINO) or .tflite``."""
    kinds = [kind for kind in _KINDS.values() if kind.suffix in MODEL_SUFFIXES]
    *first, last = (f"{kind.suffix} ({kind.engine})" if kind.engine else kind.suffix for kind in kinds)
    return f"{', '.join(first)} or {last}"


@lru_cache(maxsize=8)
def _described(path: Path, state: State) -> ModelDescription:
    reader = import_module(_KINDS[model_format(path)].reader)
    try:
        if is_encrypted(path):
            return _described_encrypted(cast(ContentReader, reader), path)
        return cast(Reader, reader).describe(path)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error


def _described_encrypted(reader: ContentReader, path: Path) -> ModelDescription:
    """As :func:`describe`; what it refers to lies in the same file, and nothing beside it."""
    from edgevision.modelfiles.encrypted_model import read_encrypted

    contents = read_encrypted(path)
    described = reader.describe_content(contents.model, contents.name)
    if described.graph is None:
        return described
    for data in described.graph.external_data:
        if data.offset + data.length > len(contents.beside.get(data.file, b"")):
            raise ValueError(f"it lacks weights of {data.file!r}")
    return described._replace(graph=described.graph._replace(external_data=()))


@lru_cache(maxsize=8)
def _checked_metadata(path: Path, state: State) -> ModelMetadata | None:
    metadata = declared_metadata(path)
    contradiction = None if metadata is None else find_contradiction(metadata, describe(path).graph)
    if contradiction is not None:
        raise ModelFileError(f"{path.name!r} cannot be right: {contradiction}; export it again, from its checkpoint")
    return metadata


def _damaged(path: Path, reason: object) -> ModelFileError:
    return ModelFileError(f"{str(path)!r} is damaged, cut off or not a model: {reason}")
