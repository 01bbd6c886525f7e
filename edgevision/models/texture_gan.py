"""The spatial generative adversarial pair for textures of any size (Jetchev et al. 2016)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from edgevision.models.normalisation import spectral


class TextureGenerator(nn.Module):
    """Convolutions alone, from a map of noise to a texture ``2 ** doublings`` times as large.

    Input ``latent`` (N, latent, h, w) float32 of any height and width, output (N, channels, H, W) in -1..1 with
    H = h * 2 ** doublings. Enlarging by repetition before each convolution leaves no checkerboard.
    """

    def __init__(self, *, latent: int = 16, channels: int = 3, width: int = 32, doublings: int = 4) -> None:
        super().__init__()
        widths = [latent, *(width * 2**power for power in reversed(range(doublings)))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))
        self.latent_shape = (latent, None, None)
        self.scale = 2**doublings

    def forward(self, latent: Tensor) -> Tensor:
        return torch.tanh(self.layers(latent))


class TextureDiscriminator(nn.Module):
    """Strided convolutions to a map of scores, one for each patch, higher for real ones.

    Input (N, channels, H, W) in -1..1, output (N, patches) without a bound.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 32,
        halvings: int = 4,
        spectral_norm: bool = True,
        dropout: float = 0.0,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        widths = [channels, *(width * 2**power for power in range(halvings))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                spectral(nn.Conv2d(before, after, 4, 2, 1), spectral_norm),
                nn.LeakyReLU(slope),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers, spectral(nn.Conv2d(widths[-1], 1, 3, padding=1), spectral_norm))

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.layers(image)
        return scores.flatten(1)
