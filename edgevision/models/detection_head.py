"""What the detectors of the project say of the cells of their levels."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from edgevision.models.pyramid_backbone import Convolution

_PRIOR = 0.01
"""The score of every class everywhere, untrained: most cells are of nothing (Lin et al. 2017, section 4.1)."""


class DecoupledHead(nn.Module):
    """What one level says of each of its cells; boxes and classes are told by convolutions of their own."""

    def __init__(
        self,
        channels: int,
        numbers: int,
        num_classes: int,
        *,
        depthwise: bool,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.box_features = Convolution(channels, channels, depthwise=depthwise, activation=activation)
        self.score_features = Convolution(channels, channels, depthwise=depthwise, activation=activation)
        self.boxes = nn.Conv2d(channels, numbers, 1)
        self.scores = nn.Conv2d(channels, num_classes, 1)
        nn.init.constant_(self.scores.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(self.box_features(x)).flatten(2), self.scores(self.score_features(x)).flatten(2)


def tell_levels(heads: Iterable[nn.Module], features: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Boxes (N, numbers, cells) and scores (N, num_classes, cells), those of one level after the other's."""
    answers = [head(x) for head, x in zip(heads, features, strict=True)]
    boxes, scores = zip(*answers, strict=True)
    return torch.cat(boxes, dim=2), torch.cat(scores, dim=2)
