"""A detector in the manner of the published nano ones, to be compared with: cross-stage blocks, paths up and down."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.detection_head import DecoupledHead, tell_levels
from edgevision.models.pyramid_backbone import Convolution

_convolution = partial(Convolution, activation=nn.SiLU)


class _CrossStage(nn.Module):
    """Half of the channels pass by; of the other half each bottleneck's answer is kept (CSP, Wang et al. 2020, as C2f
    has it in YOLOv8)."""

    def __init__(self, in_channels: int, channels: int, count: int, *, residual: bool) -> None:
        super().__init__()
        half = channels // 2
        self.residual = residual
        self.enter = _convolution(in_channels, 2 * half, kernel_size=1)
        self.bottlenecks = nn.ModuleList(
            nn.Sequential(_convolution(half, half), _convolution(half, half)) for _ in range(count)
        )
        self.leave = _convolution((2 + count) * half, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.enter(x).chunk(2, dim=1))
        for bottleneck in self.bottlenecks:
            change = bottleneck(parts[-1])
            parts.append(parts[-1] + change if self.residual else change)
        joined: Tensor = self.leave(torch.cat(parts, dim=1))
        return joined


class _SpatialPyramid(nn.Module):
    """What is greatest within 5, 9 and 13 cells, beside each cell (He et al. 2014, as SPPF has it in YOLOv5)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = _convolution(channels, half, kernel_size=1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = _convolution(4 * half, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        joined: Tensor = self.leave(torch.cat(parts, dim=1))
        return joined


class CspDetector(nn.Module):
    """The layout of YOLOv8 nano (Jocher et al. 2023) with fewer channels, and depthwise convolutions in its head.

    Input and outputs are those of :class:`.PyramidDetector`.

    Args:
        num_classes: how many kinds of things there are.
        widths: channels at strides 2, 4, 8, 16 and 32.
        blocks: bottlenecks of a cross-stage block.
        bins: of a distribution; a box reaches bins - 1 strides from its cells at most.
    """

    strides = (8, 16, 32)
    multiple = 32

    def __init__(
        self,
        *,
        num_classes: int = 1,
        widths: Sequence[int] = (16, 24, 48, 80, 120),
        blocks: int = 1,
        bins: int = 16,
    ) -> None:
        super().__init__()
        if len(widths) != 5:
            raise ValueError(f"widths are of 5 strides, not {widths!r}")
        self.bins = bins
        self.stem = _convolution(3, widths[0], 2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                _convolution(fine, coarse, 2),
                _CrossStage(coarse, coarse, blocks, residual=True),
            )
            for fine, coarse in pairwise(widths)
        )
        self.spatial_pyramid = _SpatialPyramid(widths[-1])
        scales = list(pairwise(widths[2:]))
        self.up = nn.ModuleList(_CrossStage(fine + coarse, fine, blocks, residual=False) for fine, coarse in scales)
        self.shrink = nn.ModuleList(_convolution(fine, fine, 2) for fine, _ in scales)
        self.down = nn.ModuleList(_CrossStage(fine + coarse, coarse, blocks, residual=False) for fine, coarse in scales)
        self.heads = nn.ModuleList(
            DecoupledHead(width, 4 * bins, num_classes, depthwise=True, activation=nn.SiLU) for width in widths[2:]
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(images)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        # From the coarsest up, and from the finest down again (Liu et al. 2018, "Path aggregation network").
        features = [self.spatial_pyramid(levels[-1])]
        for own, merge in zip(reversed(levels[1:-1]), reversed(self.up), strict=True):
            features.insert(0, merge(torch.cat((F.interpolate(features[0], scale_factor=2.0), own), dim=1)))
        for number, (shrink, merge) in enumerate(zip(self.shrink, self.down, strict=True), start=1):
            features[number] = merge(torch.cat((shrink(features[number - 1]), features[number]), dim=1))
        return tell_levels(self.heads, features)
