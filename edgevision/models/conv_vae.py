"""A convolutional variational autoencoder (Kingma & Welling 2014)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from edgevision.models.dcgan import DcganGenerator, halved_side


class VaeOutput(NamedTuple):
    """What training needs: the ``image``, and ``mean`` and ``log_variance`` (N, latent) of its code."""

    image: Tensor
    mean: Tensor
    log_variance: Tensor


class ConvVae(nn.Module):
    """Strided convolutions to a code, and the DCGAN's generator back from it.

    Input ``image`` (N, channels, image_size, image_size) float32 in -1..1; outputs the reconstruction in the same shape
    and range, and the ``code`` (N, latent), roughly standard normal, which :attr:`decoder` takes.
    """

    def __init__(
        self, *, image_size: int = 32, channels: int = 3, latent: int = 128, width: int = 64, kernel_size: int = 4
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(image_size, channels, latent, width, kernel_size)
        self.decoder = DcganGenerator(
            image_size=image_size, channels=channels, latent=latent, width=width, kernel_size=kernel_size
        )
        self.latent_shape = (latent,)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(image)
        return self.decoder(code), code

    def sample(self, image: Tensor) -> VaeOutput:
        """Reconstruct from a code drawn around the mean, as training does."""
        mean, log_variance = self.encoder.distribution(image)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return VaeOutput(self.decoder(code), mean, log_variance)


class _Encoder(nn.Module):
    """From a picture to its code; the variance is for training only."""

    def __init__(self, image_size: int, channels: int, latent: int, width: int, kernel_size: int) -> None:
        super().__init__()
        side, halvings = halved_side(image_size)
        widths = [width * 2**power for power in range(halvings)]
        layers: list[nn.Module] = []
        for before, after in zip([channels, *widths], widths, strict=False):
            layers += [
                nn.Conv2d(before, after, kernel_size, 2, (kernel_size - 1) // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.mean = nn.Linear(widths[-1] * side * side, latent)
        self.log_variance = nn.Linear(widths[-1] * side * side, latent)

    def forward(self, image: Tensor) -> Tensor:
        code: Tensor = self.mean(self.layers(image))
        return code

    def distribution(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the code, each (N, latent)."""
        features = self.layers(image)
        return self.mean(features), self.log_variance(features)
