"""A small residual U-Net from pictures to pictures: denoising, and with gated convolutions inpainting."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from edgevision.models.residual_stack import residual_stack


class _Gated(nn.Module):
    """A convolution whose every output is weighed by a learned gate (Yu et al. 2019, equation 2), without activation.

    Where pixels are unknown the gate can close, which a plain convolution with its fixed weights cannot.
    """

    def __init__(self, in_channels: int, channels: int, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(in_channels, channels, kernel_size, stride, padding)
        self.gate = nn.Conv2d(in_channels, channels, kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = self.features(x) * torch.sigmoid(self.gate(x))
        return gated


class ScalesNetwork(nn.Module):
    """Residual blocks at several scales, joined by sums: all but the last layer.

    Args:
        head: makes the first layer, for a number of channels.
        widths: channels at each scale, the finest first; each next scale has half the height and width.
        blocks: residual blocks at each scale, on the way down and again on the way up (once at the coarsest).
        down: what makes the maps of the next scale, called as :class:`torch.nn.Conv2d`.
    """

    def __init__(
        self,
        head: Callable[[int], nn.Module],
        widths: Sequence[int],
        blocks: Sequence[int],
        down: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or not widths:
            raise ValueError(f"widths and blocks must be equally long, not {widths!r} and {blocks!r}")
        self.head = head(widths[0])
        self.encoder = nn.ModuleList(residual_stack(width, count) for width, count in zip(widths, blocks, strict=True))
        self.down = nn.ModuleList(down(fine, coarse, 2, 2, 0) for fine, coarse in _neighbours(widths))
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse, 4 * fine, 1), nn.PixelShuffle(2)) for fine, coarse in _neighbours(widths)
        )
        self.decoder = nn.ModuleList(
            residual_stack(width, count) for width, count in zip(widths[:-1], blocks[:-1], strict=True)
        )

    def across_scales(self, x: Tensor) -> Tensor:
        """The maps (N, widths[0], H, W) before the last layer; H and W halve as often as there are further scales."""
        x = self.head(x)
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=False):
            x = blocks(x)
            skips.append(x)
            x = down(x)
        x = self.encoder[-1](x)
        for blocks, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            x = blocks(up(x) + skips.pop())
        return x


class RestorationUNet(ScalesNetwork):
    """A network across scales that predicts what to add to the image.

    Input ``image`` (N, 3, H, W) float32 in 0..1 and, with ``mask_input``, ``mask`` (N, 1, H, W), 1 where the pixel is
    to be filled; H and W are multiples of ``multiple``. Output (N, 3, H, W), not clipped to 0..1.

    Args:
        widths: channels at each scale, as in :class:`ScalesNetwork`.
        blocks: residual blocks at each scale.
        shuffle: side of the squares of pixels that become channels before the finest scale; 2 costs a quarter.
        mask_input: whether the network takes a mask, and gates its convolutions on the way down.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (48, 64, 72),
        blocks: Sequence[int] = (2, 2, 2),
        shuffle: int = 2,
        mask_input: bool = False,
    ) -> None:
        down = _Gated if mask_input else nn.Conv2d
        channels = (4 if mask_input else 3) * shuffle**2
        super().__init__(lambda width: down(channels, width, 3, 1, 1), widths, blocks, down)
        self.multiple = shuffle * 2 ** (len(widths) - 1)
        self.mask_input = mask_input
        self.unshuffle = nn.PixelUnshuffle(shuffle) if shuffle > 1 else nn.Identity()
        self.shuffle = nn.PixelShuffle(shuffle) if shuffle > 1 else nn.Identity()
        self.tail = nn.Conv2d(widths[0], 3 * shuffle**2, 3, padding=1)
        # The untrained network returns its input.
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.unshuffle(image if mask is None else torch.cat((image, mask), dim=1))
        residual: Tensor = self.shuffle(self.tail(self.across_scales(x)))
        return image + residual


def _neighbours(widths: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(widths))


def denoise_unet(*, widths: Sequence[int] = (48, 64, 72), blocks: Sequence[int] = (2, 2, 2)) -> RestorationUNet:
    """Scales from half the resolution down, by default three of 0.72 million weights."""
    return RestorationUNet(widths=widths, blocks=blocks, shuffle=2)


inpaint_unet = partial(RestorationUNet, widths=(16, 40, 64, 80), blocks=(1, 1, 2, 2), shuffle=1, mask_input=True)
"""Four scales from the full resolution down, gated on the way down, 0.7 million weights."""
