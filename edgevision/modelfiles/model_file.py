"""A model file seen from outside: its format, its metadata and what it holds, without an engine to run it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from edgevision.core.errors import ModelFileError
from edgevision.core.regular_files import sha256
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_check import check_graph, check_sense


class ModelFormat(StrEnum):
    """The kinds of file the project writes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    CHECKPOINT = "checkpoint"


_SUFFIXES = {".onnx": ModelFormat.ONNX, ".xml": ModelFormat.OPENVINO, ".pt": ModelFormat.CHECKPOINT}

# Each reader is imported when a file of its kind comes by: XML and zip parsers would cost every start of an ONNX model.
_READERS = {
    ModelFormat.ONNX: "edgevision.modelfiles.onnx_file",
    ModelFormat.OPENVINO: "edgevision.modelfiles.openvino_file",
    ModelFormat.CHECKPOINT: "edgevision.modelfiles.checkpoint_file",
}


# A thousand classes take some 30,000.
_LONGEST_DOCUMENT = 16_000_000


class Reader(Protocol):
    """What each module of the table offers."""

    def read_document(self, path: Path) -> str | None: ...

    def check(self, path: Path) -> None: ...

    def read_signature(self, path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]] | None: ...

    def read_facts(self, path: Path) -> dict[str, Any]: ...

    def companions(self, path: Path) -> tuple[str, ...]: ...


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
    if not os.access(path, os.R_OK):
        raise ModelFileError(f"the model {str(path)!r} cannot be read: permission denied")
    return known


def read_metadata(path: Path) -> ModelMetadata | None:
    """The metadata inside a model file or the project's own checkpoint; ``None`` where there is none.

    Raises:
        ModelFileError: no such file, damaged, metadata this release cannot read, or that contradicts itself or the
            model's graph.
    """
    model_format(path)
    state = path.stat()
    return _checked_metadata(path.absolute(), (state.st_mtime_ns, state.st_ino, state.st_size))


# Opening a model asks several times, and looking through the graph takes milliseconds.
@lru_cache(maxsize=8)
def _checked_metadata(path: Path, state: tuple[int, int, int]) -> ModelMetadata | None:
    metadata = declared_metadata(path)
    contradiction = None if metadata is None else find_contradiction(path, metadata)
    if contradiction is not None:
        raise ModelFileError(f"{path.name!r} cannot be right: {contradiction}; export it again, from its checkpoint")
    return metadata


def declared_metadata(path: Path) -> ModelMetadata | None:
    """As :func:`read_metadata`, of a file that may contradict itself: for showing what it says."""
    kind = model_format(path)
    with damage_named(path):
        document = reader(kind).read_document(path)
    if document is not None and len(document) > _LONGEST_DOCUMENT:
        raise ModelFileError(
            f"{path.name!r} holds {len(document):,} characters of metadata; at most {_LONGEST_DOCUMENT:,} are read"
        )
    return None if document is None else ModelMetadata.from_json(document, repr(path.name))


def find_contradiction(path: Path, metadata: ModelMetadata) -> str | None:
    """What in ``metadata`` cannot be, by itself or with the graph of the file at ``path``; ``None`` where all fits.

    Raises:
        ModelFileError: the file is damaged.
    """
    with damage_named(path):
        signature = reader(model_format(path)).read_signature(path)
    try:
        check_sense(metadata)
        if signature is not None:
            check_graph(metadata, *signature)
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
    with damage_named(path):
        reader(kind).check(path)
    return kind


def companions(path: Path) -> tuple[str, ...]:
    """The files that a model needs beside it, relative to its folder: weights kept outside, an IR's ``.bin``.

    Raises:
        ModelFileError: as :func:`check_model_file`.
    """
    kind = check_model_file(path)
    with damage_named(path):
        return reader(kind).companions(path)


def model_hash(path: Path) -> str:
    """The sha256 of a model, in hexadecimal: of the file, and with it of those that it needs beside it and that exist.

    Of a model in one file it is what ``sha256sum`` says.

    Raises:
        ModelFileError: as :func:`model_format`; damaged, or with weights outside its folder.
    """
    with damage_named(path):
        beside = [path.parent / name for name in reader(model_format(path)).companions(path)]
    own = sha256(path)
    parts = [own, *(sha256(file) for file in beside if file.is_file())]
    return own if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what parsing a damaged file raises into a :class:`ModelFileError` that names it."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{str(path)!r} is damaged, cut off or not a model: {error}") from error


def reader(kind: ModelFormat) -> Reader:
    """The module that reads files of this kind; what it raises on damaged ones is for :func:`damage_named`."""
    return cast(Reader, import_module(_READERS[kind]))
