"""All that a model file tells about itself without an engine to run it."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from edgevision.core.records import Record, record
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import (
    ModelFormat,
    declared_metadata,
    describe,
    external_files,
    find_contradiction,
    model_format,
    model_hash,
)


@record
class ModelFacts(Record):
    """What a model file holds. ``weights`` counts numbers.

    ``size_bytes`` includes weights kept beside the file, and so does ``sha256``, which is
    :func:`~edgevision.modelfiles.model_file.model_hash`.

    ``contradiction`` says why the model cannot be used as its metadata say.
    """

    format: ModelFormat
    size_bytes: int
    sha256: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    weights: int | None = None
    metadata: ModelMetadata | None = None
    contradiction: str | None = None


def read_facts(path: Path) -> ModelFacts:
    """All that can be read without running the model; raises as :func:`read_metadata`."""
    metadata, graph = declared_metadata(path), describe(path).graph
    facts = ModelFacts(
        format=model_format(path),
        size_bytes=path.stat().st_size + sum(data.file_size(path) for data in external_files(path)),
        sha256=model_hash(path),
        metadata=metadata,
        contradiction=None if metadata is None else find_contradiction(metadata, graph),
    )
    if graph is None:
        return facts
    return facts.updated(
        inputs=graph.inputs,
        outputs=graph.outputs,
        operators=graph.operators,
        opsets=graph.opsets,
        weights=graph.weights,
    )
