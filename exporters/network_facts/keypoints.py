"""What the head of a network for points is, found out from what it answers to a sample."""

from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.network_facts import detection_layouts
from edgevision.exporters.network_facts.head_layouts import completed, recognised, remedy, sample_of
from edgevision.exporters.network_facts.keypoint_layouts import LAYOUTS
from edgevision.exporters.network_facts.network import Network, check_fit
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec

_PAGE = "docs/keypoints.md"


def describe_keypoints(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the network's head, and see that points can be made of its answer to a sample.

    Raises:
        InputError: the head cannot be told, or the one that was given does not fit the outputs.
    """
    spec = metadata.spec_as(KeypointsSpec)
    sample = sample_of(metadata, network, len(spec.point_names))
    if spec.head is None:
        spec = completed(recognised(sample, LAYOUTS, spec.layout, _PAGE, {"detect": detection_layouts.LAYOUTS}), spec)
    metadata = metadata.updated(spec=spec)
    check_fit(metadata, network.conversion)
    assert spec.head is not None
    try:
        decode_points(spec.head, sample.outputs, sample.height, sample.width)
    except ModelFileError as error:
        raise InputError(f"the head does not fit what the network answers: {error}; {remedy(_PAGE)}") from error
    return metadata
