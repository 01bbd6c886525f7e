"""What the metadata of a stylization model say of its network, found out from the network itself."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from edgevision.exporters.network_facts.network import Network
from edgevision.exporters.network_facts.restoration import describe_restoration
from edgevision.modelfiles.metadata import ModelMetadata


def describe_stylization(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """As :func:`describe_restoration`; a network that can be given statistics is cut into tiles as one that is."""
    if network.described or len(network.examples) == 1:
        return describe_restoration(metadata, network)
    return describe_restoration(metadata, replace(network, module=_Normalised(network.module, network.examples)))


class _Normalised(nn.Module):
    """The picture that a network gives in the styles of the first example, always normalised as that is."""

    def __init__(self, network: nn.Module, examples: tuple[Tensor, ...]) -> None:
        super().__init__()
        self._network = network
        with torch.no_grad():
            self._others = [example[:1] for example in examples[1:]]
            if len(examples) > 2:
                self._others[1] = network(*(example[:1] for example in examples))[1]

    def forward(self, picture: Tensor, *_: Tensor) -> Tensor:
        painted: Tensor | tuple[Tensor, ...] = self._network(
            picture, *(other.expand(len(picture), *other.shape[1:]) for other in self._others)
        )
        return painted[0] if isinstance(painted, tuple) else painted
