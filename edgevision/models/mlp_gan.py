"""The generative adversarial pair of dense layers for small pictures (Goodfellow et al. 2014)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from edgevision.models.normalisation import spectral

Activation = Literal["relu", "leaky_relu"]


class MlpGenerator(nn.Sequential):
    """Dense layers from a latent vector to a picture.

    Input ``latent`` (N, latent) float32, output (N, channels, image_size, image_size) in -1..1. The weights are named
    as in a plain sequence of layers, in which such generators are usually published.
    """

    def __init__(
        self,
        *,
        latent: int = 100,
        hidden: Sequence[int] = (256, 512, 1024),
        image_size: int = 28,
        channels: int = 1,
        activation: Activation = "leaky_relu",
    ) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise((latent, *hidden)):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2) if activation == "leaky_relu" else nn.ReLU()]
        layers += [nn.Linear((latent, *hidden)[-1], channels * image_size**2), nn.Tanh()]
        super().__init__(*layers)
        self.latent_shape = (latent,)
        self._shape = (channels, image_size, image_size)

    def forward(self, latent: Tensor) -> Tensor:
        image: Tensor = super().forward(latent)  # type: ignore[no-untyped-call]
        return image.reshape(-1, *self._shape)


class MlpDiscriminator(nn.Module):
    """Dense layers from a picture to one number, higher for real ones.

    Input (N, channels, image_size, image_size) in -1..1, output (N,) without a bound.
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (1024, 512, 256),
        image_size: int = 28,
        channels: int = 1,
        spectral_norm: bool = False,
        dropout: float = 0.3,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((channels * image_size**2, *hidden)):
            layers += [spectral(nn.Linear(before, after), spectral_norm), nn.LeakyReLU(slope), nn.Dropout(dropout)]
        self.layers = nn.Sequential(nn.Flatten(), *layers, spectral(nn.Linear(hidden[-1], 1), spectral_norm))

    def forward(self, image: Tensor) -> Tensor:
        score: Tensor = self.layers(image)
        return score[:, 0]
