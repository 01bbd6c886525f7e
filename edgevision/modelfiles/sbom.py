"""What a model is made of, as a bill of materials: CycloneDX 1.6 (https://cyclonedx.org), from its metadata alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import edgevision
from edgevision.core.extras import requires_extra
from edgevision.core.regular_files import sha256
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_facts import ModelFacts
from edgevision.modelfiles.model_file import external_files

_NAMESPACE = UUID("9c0f6a52-7f0e-5a39-8a55-6f1d1d0c6d11")


def bill_of_materials(model: Path, facts: ModelFacts) -> dict[str, Any]:
    """The document, equal for equal files: the model and its files, the checkpoint and data it came from, the packages.

    Raises:
        MissingExtraError: what writes it is not installed.
    """
    with requires_extra("sbom"):
        from cyclonedx.model import HashAlgorithm, HashType
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
    metadata = facts.metadata

    def hashed(digest: str | None) -> list[Any]:
        return [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else []

    def parts() -> Iterator[Component]:
        for name in (model.name, *(data.file for data in external_files(model))):
            digest = sha256(model.parent / name)
            yield Component(type=ComponentType.FILE, name=name, bom_ref=f"file:{name}", hashes=hashed(digest))
        if metadata is None:
            return
        made_of = metadata.provenance
        licences = _licences(made_of.data_licence)
        if made_of.data is not None or licences:
            name = made_of.data or "training data"
            yield Component(type=ComponentType.DATA, name=name, bom_ref="data", licenses=licences)
        if made_of.checkpoint_sha256 is not None:
            digest = made_of.checkpoint_sha256
            yield Component(
                type=ComponentType.MACHINE_LEARNING_MODEL,
                name=f"{metadata.name} checkpoint",
                bom_ref="checkpoint",
                hashes=hashed(digest),
                licenses=_licences(metadata.licence),
            )
        for name, version in made_of.versions.items():
            yield Component(type=ComponentType.LIBRARY, name=name, version=version, bom_ref=f"package:{name}")

    subject = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=model.name if metadata is None else metadata.name,
        bom_ref="model",
        # Of a model in several files it is the hash of their hashes; each file's own is with it.
        hashes=hashed(facts.sha256),
        licenses=_licences(None if metadata is None else metadata.licence),
    )
    bom = Bom(serial_number=uuid5(_NAMESPACE, facts.sha256), components=parts())
    bom.metadata.component = subject
    bom.register_dependency(subject, bom.components)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # Of when it was read nothing depends, so that the same file gives the same document.
    document["metadata"].pop("timestamp", None)
    document["metadata"]["tools"] = {
        "components": [{"type": "application", "name": "edgevision", "version": edgevision.__version__}]
    }
    if metadata is not None:
        # The library has no class for it: https://cyclonedx.org/docs/1.6/json/#components_items_modelCard
        document["metadata"]["component"]["modelCard"] = _model_card(metadata, facts)
    return document


def _licences(licence: str | None) -> list[Any]:
    """An SPDX expression where it is one, else by its name."""
    if licence is None or not licence.strip():
        return []
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(licence)]


def _model_card(metadata: ModelMetadata, facts: ModelFacts) -> dict[str, Any]:
    figures = [{"type": name, "value": f"{value:g}"} for name, value in metadata.quality.items()]
    made_of = metadata.provenance
    facts_of_training = {
        "command": made_of.command,
        "machine": made_of.machine,
        "created": made_of.created,
        "precision": str(metadata.precision),
        "weights": None if facts.weights is None else str(facts.weights),
    }
    return {
        "modelParameters": {
            "task": metadata.task,
            **({"datasets": [{"ref": "data"}]} if made_of.data is not None else {}),
            "inputs": [{"format": _tensor(spec)} for spec in facts.inputs],
            "outputs": [{"format": _tensor(spec)} for spec in facts.outputs],
        },
        **({"quantitativeAnalysis": {"performanceMetrics": figures}} if figures else {}),
        "properties": [
            {"name": f"edgevision:{name}", "value": value} for name, value in facts_of_training.items() if value
        ],
    }


def _tensor(spec: Any) -> str:
    return f"{spec.dtype} {' x '.join(map(str, spec.shape))}"
