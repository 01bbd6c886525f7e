"""Normalisations that generative networks share."""

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
