"""A network that turns one kind of picture into another, as drawings into photographs (Isola et al. 2017)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgevision.models.restoration_unet import ScalesNetwork


class TranslationUNet(ScalesNetwork):
    """A network across scales that draws a new picture of what it is given, rather than adding to it.

    Input ``image`` (N, 3, H, W) float32 in 0..1, of which H and W are multiples of :attr:`multiple`; output
    (N, 3, H, W) in 0..1. It has no dropout, whose noise the published one draws its variants from: the same picture
    becomes the same.

    Args:
        widths: channels at each scale, that of half the resolution first.
        blocks: residual blocks at each scale, on the way down and again on the way up (once at the coarsest).
        tail: channels at the full resolution, before the last layer.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (32, 48, 64, 72, 80),
        blocks: Sequence[int] = (1, 1, 1, 1, 1),
        tail: int = 16,
    ) -> None:
        super().__init__(lambda width: nn.Conv2d(12, width, 3, padding=1), widths, blocks, nn.Conv2d)
        self.multiple = 2 ** len(widths)
        self.unshuffle = nn.PixelUnshuffle(2)
        # A layer after the pixels took their places: a discriminator sees the slightest grid.
        self.tail = nn.Sequential(
            nn.Conv2d(widths[0], 4 * tail, 3, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            nn.Conv2d(tail, 3, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(self.across_scales(self.unshuffle(2 * image - 1))))
