"""All that a model file tells about itself without an engine to run it."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from edgevision.core.records import Record, record
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import (
    ModelFormat,
    damage_named,
    declared_metadata,
    find_contradiction,
    model_format,
    model_hash,
    reader,
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
    kind = model_format(path)
    metadata = declared_metadata(path)
    contradiction = None if metadata is None else find_contradiction(path, metadata)
    with damage_named(path):
        facts = reader(kind).read_facts(path)
    return ModelFacts(format=kind, sha256=model_hash(path), metadata=metadata, contradiction=contradiction, **facts)
