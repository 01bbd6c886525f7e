"""What a detector's head is, found out from what it answers to samples; several heads that fit are no answer."""

from contextlib import suppress

from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.network_facts import boxed_mask_layouts
from edgevision.exporters.network_facts.detection_layouts import LAYOUTS
from edgevision.exporters.network_facts.head_layouts import (
    Sample,
    background_among,
    completed,
    own_labels,
    recognised,
    remedy,
    sample_of,
)
from edgevision.exporters.network_facts.network import Network, check_fit
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Field

_PAGE = "docs/detection.md"


def describe_detection(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the network's head, and see that boxes can be made of its answer to a sample.

    Raises:
        InputError: the head cannot be told, or the one that was given does not fit the outputs.
    """
    spec = metadata.spec_as(DetectionSpec)
    labels = spec.labels or own_labels(network)
    nothing = background_among(labels)
    sample = sample_of(metadata, network, len(labels) - (nothing is not None))
    if spec.head is None:
        found = recognised(sample, LAYOUTS, spec.layout, _PAGE, {"segment": boxed_mask_layouts.LAYOUTS})
        spec = completed(found, spec).updated(labels=labels or found.labels)
    if nothing is not None:
        spec = with_background(spec, nothing, sample)
    metadata = metadata.updated(spec=spec)
    check_fit(metadata, network.conversion)
    assert spec.head is not None
    try:
        rows = gather_rows(spec.head, sample.outputs, sample.height, sample.width)
        candidates(spec.head, rows, sample.height, sample.width, min_score=0.0, multi_label=False)
    except ModelFileError as error:
        raise InputError(f"the head does not fit what the network answers: {error}; {remedy(_PAGE)}") from error
    return metadata


def with_background(spec: DetectionSpec, index: int, sample: Sample) -> DetectionSpec:
    """Without the label of that index where classes are columns of scores, and with its column, if it has one, as none.

    Where the graph itself gives the numbers of classes, that of the background keeps its place among the labels.
    """
    head = spec.head
    assert head is not None
    if not any(Field.SCORES in part.fields for part in head.parts):
        return spec
    if head.background is None:
        with suppress(ModelFileError):  # said where the head is tried
            columns = gather_rows(head, sample.outputs, sample.height, sample.width)[Field.SCORES].shape[1]
            if columns == len(spec.labels):
                head = head.updated(background=index)
    return spec.updated(head=head, labels=(*spec.labels[:index], *spec.labels[index + 1 :]))
