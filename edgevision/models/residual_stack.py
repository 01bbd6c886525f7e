"""Residual blocks that learn in deep stacks without normalisation layers."""

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two convolutions of 3x3 and a rectifier between them, added to the input (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        # Starting near the identity lets deep stacks learn without normalisation layers.
        nn.init.kaiming_normal_(self.conv2.weight)
        with torch.no_grad():
            self.conv2.weight *= 0.3

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(torch.relu(self.conv1(x)))
        return x + residual


def residual_stack(channels: int, count: int) -> nn.Sequential:
    """``count`` blocks, one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))
