"""An anchor-free detector for small devices: a plain backbone, a light feature pyramid, a decoupled head."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PRIOR = 0.01
"""The score of every class everywhere, untrained: most cells are of nothing (Lin et al. 2017, section 4.1)."""


class _Convolution(nn.Sequential):
    """A 3x3 convolution with batch normalisation and ReLU, or a depthwise and a 1x1 one in its place."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, depthwise: bool = False) -> None:
        if depthwise:
            super().__init__(
                nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
        else:
            super().__init__(
                nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )


class _Residual(nn.Module):
    def __init__(self, channels: int, *, depthwise: bool) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*(_Convolution(channels, channels, depthwise=depthwise) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.convolutions(x)
        return x + change


class _Head(nn.Module):
    """What one level says of each of its cells; boxes and classes are told by convolutions of their own."""

    def __init__(self, channels: int, numbers: int, num_classes: int, *, depthwise: bool) -> None:
        super().__init__()
        self.box_features = _Convolution(channels, channels, depthwise=depthwise)
        self.score_features = _Convolution(channels, channels, depthwise=depthwise)
        self.boxes = nn.Conv2d(channels, numbers, 1)
        self.scores = nn.Conv2d(channels, num_classes, 1)
        nn.init.constant_(self.scores.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(self.box_features(x)).flatten(2), self.scores(self.score_features(x)).flatten(2)


class PyramidDetector(nn.Module):
    """Boxes at three strides, each told by the cells in its middle.

    Input (N, 3, H, W) float32, H and W multiples of 32. Outputs ``boxes`` (N, 4 x bins, cells), for the distances left,
    top, right and bottom from a cell's middle each the logits of a distribution over 0 .. bins - 1 strides (Li et al.
    2020, "Generalized focal loss"), and ``scores`` (N, num_classes, cells), logits. Cells are those of strides 8, 16
    and 32, one after the other, each row by row.

    Args:
        num_classes: how many kinds of things there are.
        widths: channels at strides 2, 4, 8, 16 and 32.
        blocks: residual blocks at strides 4, 8, 16 and 32.
        pyramid: channels of the feature pyramid and of the head.
        bins: of a distribution; a box reaches bins - 1 strides from its cells at most.
        depthwise: whether convolutions are split into a depthwise and a 1x1 one: fewer operations, not less time.
    """

    strides = (8, 16, 32)
    multiple = 32

    def __init__(
        self,
        *,
        num_classes: int = 1,
        widths: Sequence[int] = (16, 24, 48, 72, 96),
        blocks: Sequence[int] = (1, 1, 1, 1),
        pyramid: int = 48,
        bins: int = 16,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) != 5 or len(blocks) != 4:
            raise ValueError(f"widths are of 5 strides and blocks of 4, not {widths!r} and {blocks!r}")
        self.bins = bins
        self.stem = _Convolution(3, widths[0], 2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                _Convolution(fine, coarse, 2, depthwise=depthwise),
                *(_Residual(coarse, depthwise=depthwise) for _ in range(count)),
            )
            for (fine, coarse), count in zip(pairwise(widths), blocks, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths[2:])
        self.merge = nn.ModuleList(_Convolution(pyramid, pyramid, depthwise=depthwise) for _ in self.strides)
        self.heads = nn.ModuleList(_Head(pyramid, 4 * bins, num_classes, depthwise=depthwise) for _ in self.strides)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(images)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        features: list[Tensor] = []
        for x, lateral, merge in reversed(list(zip(levels[1:], self.lateral, self.merge, strict=True))):
            own = lateral(x)
            features.insert(0, merge(own + F.interpolate(features[0], scale_factor=2.0) if features else own))
        answers = [head(x) for head, x in zip(self.heads, features, strict=True)]
        boxes, scores = zip(*answers, strict=True)
        return torch.cat(boxes, dim=2), torch.cat(scores, dim=2)
