"""The U-Net as it was published, to be compared with."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Two convolutions at each scale, joined by concatenation (Ronneberger et al. 2015, figure 1).

    What is usual today is in it: padding, so that maps have the size of the picture, and batch normalisation.

    Input (N, 3, H, W) float32 in 0..1; H and W are multiples of :attr:`multiple`. Output (N, outputs, H, W), numbers
    without a bound.

    Args:
        outputs: maps to give.
        widths: channels at each scale, that of the picture first.
    """

    def __init__(self, *, outputs: int = 2, widths: Sequence[int] = (16, 32, 64, 128)) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths must name a scale")
        self.multiple: int = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(_two_convolutions(before, width) for before, width in pairwise((3, *widths)))
        self.pool = nn.MaxPool2d(2)
        scales = list(pairwise(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, 2) for fine, coarse in scales)
        self.decoder = nn.ModuleList(_two_convolutions(2 * fine, fine) for fine, _ in scales)
        self.tail = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.encoder[0](image)
        skips = []
        for block in self.encoder[1:]:
            skips.append(x)
            x = block(self.pool(x))
        for block, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            x = block(torch.cat((skips.pop(), up(x)), dim=1))
        maps: Tensor = self.tail(x)
        return maps


def _two_convolutions(before: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        *(
            layer
            for inputs in (before, channels)
            for layer in (
                nn.Conv2d(inputs, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
        )
    )
