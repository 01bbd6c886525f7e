"""What a segmentation network's head is, found out from what it answers to a sample; several that fit are no answer."""

from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.network_facts import detection_layouts
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
from edgevision.exporters.network_facts.segmentation_layouts import LAYOUTS
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import Field
from edgevision.runtime.tasks.segmentation.maps import gather_maps
from edgevision.runtime.tasks.segmentation.spec import MapField, SegmentationHead, SegmentationSpec

_PAGE = "docs/segmentation.md"


def describe_segmentation(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the network's head, and see that masks can be made of its answer to a sample.

    Raises:
        InputError: the head cannot be told, or the one that was given does not fit the outputs.
    """
    spec = metadata.spec_as(SegmentationSpec)
    labels = spec.labels or own_labels(network)
    sample = sample_of(metadata, network, len(labels))
    if spec.head is None:
        found = recognised(sample, LAYOUTS, spec.layout, _PAGE, {"detect": detection_layouts.LAYOUTS})
        spec = completed(found, spec).updated(labels=labels or found.labels)
        assert spec.head is not None
        spec = spec.updated(head=_with_background(spec.head, labels))
    assert spec.head is not None
    if MapField.FOREGROUND in spec.head.fields and len(spec.labels) == 1:
        spec = spec.updated(labels=("background", *spec.labels))
    metadata = metadata.updated(spec=spec)
    check_fit(metadata, network.conversion)
    _try(spec, sample)
    return metadata


def _with_background(head: SegmentationHead, labels: tuple[str, ...]) -> SegmentationHead:
    """With the class that is called background, if there is one."""
    nothing = background_among(labels)
    unsaid = head.background is None and head.boxes is None and MapField.FOREGROUND not in head.fields
    if unsaid and nothing is not None:
        return head.updated(background=nothing)
    return head


def _try(spec: SegmentationSpec, sample: Sample) -> None:
    assert spec.head is not None
    boxes = spec.head.boxes.head if spec.head.boxes is not None else None
    try:
        maps = gather_maps(spec.head, sample.outputs)
        rows = gather_rows(boxes, sample.outputs, sample.height, sample.width) if boxes is not None else {}
    except ModelFileError as error:
        raise InputError(f"the head does not fit what the network answers: {error}; {remedy(_PAGE)}") from error
    if MapField.SCORES in maps:
        classes = len(maps[MapField.SCORES])
    elif Field.SCORES in rows:
        assert boxes is not None
        classes = rows[Field.SCORES].shape[1] - (boxes.background is not None)
    else:
        classes = 2 if MapField.FOREGROUND in maps else 0
    if spec.labels and classes and len(spec.labels) != classes:
        background = "" if boxes is not None else "; the background is one, too"
        raise InputError(f"the network gives {classes} classes, and there are {len(spec.labels)} labels{background}")
