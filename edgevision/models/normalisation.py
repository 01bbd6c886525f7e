"""Normalisations that several networks share, or that one takes in place of its own."""

import math
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_Layer = TypeVar("_Layer", bound=nn.Module)


def spectral(layer: _Layer, wanted: bool) -> _Layer:
    """``layer`` with its weights divided by their largest singular value (Miyato et al. 2018), if ``wanted``."""
    return spectral_norm(layer) if wanted else layer  # type: ignore[return-value]


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation whose gain and bias depend on the class (Dumoulin et al. 2017).

    Inputs (N, channels, H, W) and ``classes`` (N, num_classes), the share of each class; the same shape comes out.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.gain = nn.Linear(num_classes, channels, bias=False)
        self.bias = nn.Linear(num_classes, channels, bias=False)
        # Untrained, all classes look alike.
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:
        gain, bias = self.gain(classes)[:, :, None, None], self.bias(classes)[:, :, None, None]
        normed: Tensor = self.norm(x) * (1 + gain) + bias
        return normed


# Fewer values than that have no mean of their own, where maps are a pixel large.
_LEAST_CHANNELS_OF_A_GROUP = 8
_MOST_GROUPS = 32


def in_groups(network: nn.Module) -> nn.Module:
    """``network`` with each batch normalisation replaced by one over groups of channels (Wu & He 2018, "Group
    normalization"), untrained, which looks at no other picture of the batch."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                channels = layer.num_features
                wanted = min(max(channels // _LEAST_CHANNELS_OF_A_GROUP, 1), _MOST_GROUPS)
                setattr(parent, name, nn.GroupNorm(math.gcd(channels, wanted), channels))
    return network
