"""MobileNetV2 that tells where points are, to be compared with."""

import torch
from torch import Tensor, nn

from edgevision.models.inverted_residual import InvertedResidual
from edgevision.models.pyramid_backbone import Convolution

# Table 2 of Sandler et al. 2018: expansion, channels, blocks and the stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class PointRegressor(nn.Module):
    """MobileNetV2 (Sandler et al. 2018), and a linear layer for the places of the points.

    Input (N, 3, height, width) float32, of any sides of at least 32; output (N, points, 2), x and y in shares of the
    input's sides, in which points beyond it lie outside of 0..1.

    Args:
        points: how many there are.
        width: channels as a share of the published ones, above 0; none has fewer than 8.
        features: what the linear layer sees.
    """

    def __init__(self, *, points: int = 68, width: float = 0.5, features: int = 1280) -> None:
        super().__init__()
        if not width > 0:
            raise ValueError(f"width is a share of the published channels, above 0, not {width!r}")
        channels = _share(32, width)
        layers: list[nn.Module] = [Convolution(3, channels, 2, activation=nn.ReLU6)]
        for expansion, published, count, stride in _STAGES:
            for number in range(count):
                coarser = stride if number == 0 else 1
                wider = _share(published, width)
                layers.append(
                    InvertedResidual(channels, wider, expansion=expansion, stride=coarser, activation=nn.ReLU6)
                )
                channels = wider
        self.layers = nn.Sequential(*layers, Convolution(channels, features, kernel_size=1, activation=nn.ReLU6))
        self.points = nn.Linear(features, 2 * points)
        # Untrained, every point is in the middle.
        nn.init.constant_(self.points.bias, 0.5)

    def forward(self, image: Tensor) -> Tensor:
        places: Tensor = self.points(self.layers(image).mean(dim=(2, 3)))
        return torch.unflatten(places, 1, (-1, 2))


def _share(channels: int, width: float) -> int:
    """The nearest multiple of 8, at least 8."""
    return max(8, round(channels * width / 8) * 8)
