"""A network about to be exported, for whatever is to be found out of it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from edgevision.core.errors import InputError
from edgevision.core.lazy_objects import load_object
from edgevision.exporters.conversion.converted_network import ConvertedNetwork
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.metadata_check import check_graph
from edgevision.modelfiles.task_registry import find_task


@dataclass(frozen=True, kw_only=True)
class Network(ConvertedNetwork):
    """A network and what it was converted to.

    Attributes:
        module: the network in PyTorch, or an :class:`.EngineNetwork` for a model that is ONNX already.
        described: whether its metadata were completed before, as those of an exported model are.
        seed: of samples that are drawn.
    """

    module: nn.Module
    described: bool
    seed: int


def check_fit(metadata: ModelMetadata, conversion: Conversion) -> None:
    """:class:`InputError` where the metadata contradict the network's graph, or lack a fact."""
    try:
        check_graph(metadata, conversion.inputs, conversion.outputs)
    except ValueError as error:
        raise InputError(f"the metadata do not fit the network: {error}") from error


def describe_network(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """``metadata`` completed by what its task finds out of the network.

    Raises:
        InputError: the network is none for that task, or contradicts the metadata.
    """
    target = find_task(metadata.task).describe_network
    if target is None:
        return metadata
    describe: Callable[[ModelMetadata, Network], ModelMetadata] = load_object(target)
    return describe(metadata, network)
