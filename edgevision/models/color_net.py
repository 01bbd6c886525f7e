"""A network that guesses the colours of a gray picture from a thumbnail of it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from edgevision.imaging.lab import to_lab
from edgevision.models.restoration_unet import ScalesNetwork

_SPACING = 16
"""Between the colours to choose from, in a and b."""


class ColorNet(ScalesNetwork):
    """Says of every second pixel how likely it has which colour, and gives their annealed mean (Zhang et al. 2016).

    Input ``image`` (N, 1, H, W) float32, gray in 0..1, of which H and W are multiples of :attr:`multiple`. Output
    (N, 2, H / 2, W / 2), a and b of CIE Lab. The mean over all colours that a thing may have is brownish; raised to the
    power of 1 / ``temperature``, the likely ones count for more.

    Attributes:
        colors: float32 (colours, 2), those that sRGB has on a grid in a and b.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (16, 32, 64, 112),
        blocks: Sequence[int] = (1, 1, 1, 2),
        temperature: float = 0.4,
    ) -> None:
        super().__init__(lambda width: nn.Conv2d(4, width, 3, padding=1), widths, blocks, nn.Conv2d)
        if not 0 < temperature <= 1:
            raise ValueError(f"temperature must lie in 0..1 and not be 0, not {temperature!r}")
        self.multiple = 2 ** len(widths)
        self.temperature = temperature
        self.unshuffle = nn.PixelUnshuffle(2)
        colors = _grid_of_colors()
        self.tail = nn.Conv2d(widths[0], len(colors), 1)
        self.colors: Tensor
        self.register_buffer("colors", colors, persistent=False)

    def logits(self, image: Tensor) -> Tensor:
        """How likely each of the colours is, (N, colours, H / 2, W / 2), before the softmax."""
        scores: Tensor = self.tail(self.across_scales(self.unshuffle(2 * image - 1)))
        return scores

    def forward(self, image: Tensor) -> Tensor:
        shares = (self.logits(image) / self.temperature).softmax(dim=1)
        # As a convolution, which every engine has in every layout.
        return nn.functional.conv2d(shares, self.colors.T[:, :, None, None])


def _grid_of_colors() -> Tensor:
    """The colours on the grid that have something of sRGB nearest to them."""
    steps = np.linspace(0, 1, 33, dtype=np.float32)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    places = np.unique(np.rint(to_lab(rgb)[:, 0, 1:] / _SPACING), axis=0)
    return torch.from_numpy((places * _SPACING).astype(np.float32))
