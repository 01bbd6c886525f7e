"""Convolutions with transformers between them, in the manner of MobileViT-XXS (Mehta & Rastegari 2022)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgevision.models.inverted_residual import InvertedResidual
from edgevision.models.transformer import TransformerLayer, initialise_linear


@dataclass(frozen=True)
class _Stage:
    """Inverted residuals, of which the first strides, and a transformer of so many ``layers`` behind them."""

    channels: int
    blocks: int
    stride: int
    width: int = 0
    layers: int = 0


# Widths and depths of the paper's XXS.
_STAGES = (
    _Stage(16, 1, 1),
    _Stage(24, 3, 2),
    _Stage(48, 1, 2, width=64, layers=2),
    _Stage(64, 1, 2, width=80, layers=4),
    _Stage(80, 1, 2, width=96, layers=3),
)


def _convolution(in_channels: int, channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.SiLU(),
    )


class _MobileVitBlock(nn.Module):
    """Figure 1b of the paper: what each pixel sees of its neighbours and of all patches, beside what came in.

    The pixels at the same place in all patches are the tokens of one sequence.
    """

    def __init__(self, channels: int, width: int, layers: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.local = nn.Sequential(_convolution(channels, channels, 3), nn.Conv2d(channels, width, 1, bias=False))
        self.layers = nn.Sequential(*(TransformerLayer(width, heads=4, expansion=2) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.back = _convolution(width, channels, 1)
        self.fusion = _convolution(2 * channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.local(x)
        width, height, breadth = y.shape[1:]
        patch, down, along = self.patch, height // self.patch, breadth // self.patch
        # (N, width, down, patch, along, patch) to (N * patch * patch, down * along, width), and back
        y = y.reshape(-1, width, down, patch, along, patch).permute(0, 3, 5, 2, 4, 1)
        y = self.norm(self.layers(y.reshape(-1, down * along, width)))
        y = y.reshape(-1, patch, patch, down, along, width).permute(0, 5, 3, 1, 4, 2)
        y = self.back(y.reshape(-1, width, height, breadth))
        fused: Tensor = self.fusion(torch.cat([x, y], dim=1))
        return fused


class MobileVit(nn.Module):
    """Inverted residual blocks after a strided stem, the last three stages with transformers.

    Input (N, in_channels, image_size, image_size) float32, or H and W of any other multiples of 16, output logits (N,
    num_classes). Below an ``image_size`` of 96 the stem and the stage of 64 channels keep their resolution, so that
    32x32 ends in 4x4 maps. Patches are 2x2, or single pixels where the side of a map is odd.
    """

    def __init__(
        self, *, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        small = image_size < 96
        self.stem = _convolution(in_channels, 16, 3, 1 if small else 2)
        stages: list[nn.Module] = []
        channels, side = 16, image_size if small else -(-image_size // 2)
        for stage in _STAGES:
            for number in range(stage.blocks):
                stride = 1 if number or (small and stage.channels == 64) else stage.stride
                block = InvertedResidual(channels, stage.channels, expansion=2, stride=stride, activation=nn.SiLU)
                stages.append(block)
                channels, side = stage.channels, -(-side // stride)
            if stage.layers:
                stages.append(_MobileVitBlock(channels, stage.width, stage.layers, patch=1 if side % 2 else 2))
        self.stages = nn.Sequential(*stages)
        self.last = _convolution(channels, 4 * channels, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(4 * channels, num_classes)
        initialise_linear(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.pool(self.last(self.stages(self.stem(images)))).flatten(1)
        logits: Tensor = self.linear(self.dropout(features))
        return logits
