"""Residual networks for small pictures: He et al. 2016, section 4.2, with 6n + 2 layers."""

from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Shortcut = Literal["A", "B"]


class _PaddedSubsample(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new; it has no weights."""

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.before = new_channels // 2
        self.after = new_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


class _Block(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = (
                _PaddedSubsample(channels - in_channels)
                if shortcut == "A"
                else nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            )

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


class CifarResNet(nn.Module):
    """Three stages of ``blocks`` residual blocks with 16, 32 and 64 channels, pooled over all positions.

    Input (N, in_channels, H, W) float32 with any H and W of at least 4, output logits (N, num_classes).
    """

    def __init__(
        self,
        *,
        blocks: int,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: Shortcut = "A",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if shortcut not in ("A", "B"):
            raise ValueError(f"shortcut must be 'A' or 'B', not {shortcut!r}")
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks, 1, shortcut)
        self.layer2 = self._stage(16, 32, blocks, 2, shortcut)
        self.layer3 = self._stage(32, 64, blocks, 2, shortcut)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.linear = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(in_channels: int, channels: int, blocks: int, stride: int, shortcut: Shortcut) -> nn.Sequential:
        first = _Block(in_channels, channels, stride, shortcut)
        return nn.Sequential(first, *(_Block(channels, channels, 1, shortcut) for _ in range(blocks - 1)))

    def pooled(self, images: Tensor) -> Tensor:
        """What the last layer is given, float32 (N, 64)."""
        x = F.relu(self.bn1(self.conv1(images)))
        features: Tensor = self.pool(self.layer3(self.layer2(self.layer1(x)))).flatten(1)
        return features

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(self.pooled(images)))
        return logits


class CifarResNetFeatures(nn.Module):
    """A :class:`CifarResNet` in evaluation that gives its pooled features (N, 64) after its logits (N, classes)."""

    def __init__(self, network: CifarResNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.network.pooled(images)
        return self.network.linear(pooled), pooled


resnet20 = partial(CifarResNet, blocks=3)
"""20 layers, 0.27 million weights."""

resnet32 = partial(CifarResNet, blocks=5)
"""32 layers, 0.46 million weights."""

resnet44 = partial(CifarResNet, blocks=7)
"""44 layers, 0.66 million weights."""

resnet56 = partial(CifarResNet, blocks=9)
"""56 layers, 0.85 million weights."""
