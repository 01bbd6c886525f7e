"""A residual U-Net for maps of a picture: classes, or the foreground, borders and distances of instances."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


class _ConvNorm(nn.Module):
    def __init__(self, in_channels: int, channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        normal: Tensor = self.norm(self.conv(x))
        return normal


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _ConvNorm(channels, channels)
        self.conv2 = _ConvNorm(channels, channels)
        # Blocks begin as identities (Goyal et al. 2017, section 5.1).
        nn.init.zeros_(self.conv2.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.conv2(relu(self.conv1(x))))


class _WholePicture(nn.Module):
    """Adds what the mean over all positions says: whether the picture is a street, or tissue."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.conv(x.mean(dim=(2, 3), keepdim=True)))


class SegmentationUNet(nn.Module):
    """Residual blocks at several scales from half the resolution down, joined by sums (after Ronneberger et al. 2015).

    Input (N, 3, H, W) float32 in 0..1; H and W are multiples of ``multiple``. Output (N, outputs, H, W), numbers
    without a bound: logits for :class:`torch.nn.functional.cross_entropy` or a sigmoid.

    Dense 3x3 convolutions: on CPUs they use the arithmetic units of int8 and bf16, which depthwise ones leave idle.

    Args:
        outputs: maps to give.
        widths: channels at each scale, the finest, of half the resolution, first.
        blocks: residual blocks at each scale on the way down; on the way up there is one.
        context: whether the mean over the whole picture is heard at the coarsest scale: for pictures that are always
            seen whole, not in tiles.
        square_root: whether it looks at the square root of the picture: of dark ones, as of fluorescence, all that is
            to be seen may lie in the lowest tenth of the range, which bf16 and int8 would round away.
    """

    def __init__(
        self,
        *,
        outputs: int = 2,
        widths: Sequence[int] = (24, 32, 56, 80),
        blocks: Sequence[int] = (1, 2, 2, 2),
        context: bool = False,
        square_root: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or not widths:
            raise ValueError(f"widths and blocks must be equally long, not {widths!r} and {blocks!r}")
        self.multiple: int = 2 ** len(widths)
        self.square_root = square_root
        self.stem = _ConvNorm(3, widths[0], stride=2)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(_Residual(width) for _ in range(count)))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.down = nn.ModuleList(_ConvNorm(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.context = _WholePicture(widths[-1]) if context else nn.Identity()
        self.up = nn.ModuleList(_ConvNorm(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_Residual(width) for width in widths[:-1])
        # Four maps of half the resolution become one of the full: sharper than interpolation, at the same cost.
        maps = nn.Conv2d(widths[0], 4 * outputs, 3, padding=1)
        self.tail = nn.Sequential(maps, nn.PixelShuffle(2))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.normal_(maps.weight, std=0.01)

    def forward(self, image: Tensor) -> Tensor:
        x = relu(self.stem(torch.sqrt(image) if self.square_root else image))
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=False):
            x = blocks(x)
            skips.append(x)
            x = relu(down(x))
        x = self.context(self.encoder[-1](x))
        for block, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            coarse = nn.functional.interpolate(up(x), scale_factor=2.0, mode="nearest")
            x = block(relu(coarse + skips.pop()))
        maps: Tensor = self.tail(x)
        return maps
