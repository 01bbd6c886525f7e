"""What a detector's head is, found out from what it answers to samples; several heads that fit are no answer."""

from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.network_facts.detection_layouts import LAYOUTS
from edgevision.exporters.network_facts.head_layouts import completed, own_labels, recognised, remedy, sample_of
from edgevision.exporters.network_facts.network import Network, check_fit
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec

_PAGE = "docs/detection.md"


def describe_detection(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the network's head, and see that boxes can be made of its answer to a sample.

    Raises:
        InputError: the head cannot be told, or the one that was given does not fit the outputs.
    """
    spec = metadata.spec_as(DetectionSpec)
    labels = spec.labels or own_labels(network)
    sample = sample_of(metadata, network, len(labels))
    if spec.head is None:
        found = recognised(sample, LAYOUTS, spec.layout, _PAGE)
        spec = completed(found, spec).updated(labels=labels or found.labels)
    metadata = metadata.updated(spec=spec)
    check_fit(metadata, network.conversion)
    assert spec.head is not None
    try:
        rows = gather_rows(spec.head, sample.outputs, sample.height, sample.width)
        candidates(spec.head, rows, sample.height, sample.width, min_score=0.0, multi_label=False)
    except ModelFileError as error:
        raise InputError(f"the head does not fit what the network answers: {error}; {remedy(_PAGE)}") from error
    return metadata
