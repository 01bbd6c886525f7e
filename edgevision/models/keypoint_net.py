"""A network for one thing in a picture: a heat map for each of its points."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.activation(x + self.second(self.first(x)))
        return activated


class KeypointNet(nn.Module):
    """Dense 3x3 convolutions at strides 2 to 2^n, merged from the coarsest up to :attr:`stride`.

    The maps reach :attr:`reach` cells beyond the picture on every side, so that points which a crop cuts off have
    places too. Of the logits of a point the softmax over its map says how likely it is in each cell.

    Input (N, 3, height, width) float32, sides multiples of :attr:`multiple`; output (N, points, height / stride +
    2 reach, width / stride + 2 reach), logits.

    Args:
        points: how many there are.
        widths: channels at each stride, from 2 on.
        blocks: residual blocks behind each of them.
        head: channels before the maps.
    """

    stride = 4
    reach = 2

    def __init__(
        self,
        *,
        points: int = 68,
        widths: Sequence[int] = (24, 48, 80, 112),
        blocks: Sequence[int] = (0, 1, 2, 2),
        head: int = 64,
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or len(widths) < 2:
            raise ValueError(f"widths and blocks must be equally long, two or more, not {widths!r} and {blocks!r}")
        self.multiple = 2 ** len(widths)
        self.stages = nn.ModuleList(
            nn.Sequential(_convolution(before, channels, stride=2), *(_Residual(channels) for _ in range(count)))
            for (before, channels), count in zip(pairwise((3, *widths)), blocks, strict=True)
        )
        merged = widths[1:]  # what has at least the stride of the maps
        self.lateral = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(merged))
        self.merge = nn.ModuleList(_convolution(channels, channels) for channels in merged[1:-1])
        self.head = nn.Sequential(_convolution(merged[0], head, padding=1 + self.reach), nn.Conv2d(head, points, 1))

    def forward(self, image: Tensor) -> Tensor:
        levels = []
        x = image
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        for number in range(len(self.lateral) - 1, -1, -1):
            x = levels[number + 1] + F.interpolate(self.lateral[number](x), scale_factor=2.0)
            if number > 0:
                x = self.merge[number - 1](x)
        maps: Tensor = self.head(x)
        return maps


def _convolution(before: int, channels: int, *, stride: int = 1, padding: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, channels, 3, stride, padding, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
