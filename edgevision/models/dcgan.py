"""The deep convolutional generative adversarial pair (Radford et al. 2016), plain or conditioned on a class."""

import torch
from torch import Tensor, nn

from edgevision.models.normalisation import ConditionalBatchNorm, spectral

_SMALLEST_SIDE = 4


class DcganGenerator(nn.Module):
    """A dense layer to a small map, then transposed convolutions that double its sides.

    Input ``latent`` (N, latent) float32 and, with ``num_classes``, ``classes`` (N, num_classes), 1 for the class to
    draw and 0 for the others; output (N, channels, image_size, image_size) in -1..1. The first map has 4x4 pixels,
    7x7 for pictures of 28. ``width`` is the number of channels before the last layer.
    """

    def __init__(
        self,
        *,
        image_size: int = 32,
        channels: int = 3,
        latent: int = 128,
        width: int = 64,
        kernel_size: int = 4,
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        side, doublings = halved_side(image_size)
        self.latent_shape = (latent,)
        self._first = (width * 2 ** (doublings - 1), side, side)
        self.dense = nn.Linear(latent + num_classes, self._first[0] * side * side)
        widths = [width * 2**power for power in reversed(range(doublings))]
        self.norms = nn.ModuleList(
            ConditionalBatchNorm(count, num_classes) if num_classes else nn.BatchNorm2d(count) for count in widths
        )
        self.layers = nn.ModuleList(
            doubling(before, after, kernel_size) for before, after in zip(widths, [*widths[1:], channels], strict=True)
        )
        _initialise(self)

    def forward(self, latent: Tensor, classes: Tensor | None = None) -> Tensor:
        x = self.dense(latent if classes is None else torch.cat((latent, classes), dim=1)).unflatten(1, self._first)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = layer(torch.relu(norm(x) if classes is None else norm(x, classes)))
        return torch.tanh(x)


class DcganDiscriminator(nn.Module):
    """Strided convolutions that halve the sides, and a number for the picture, higher for real ones.

    Input (N, channels, image_size, image_size) in -1..1 and, with ``num_classes``, ``classes`` (N, num_classes), which
    are projected onto the features (Miyato & Koyama 2018); output (N,) without a bound.
    """

    def __init__(
        self,
        *,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        kernel_size: int = 4,
        num_classes: int = 0,
        spectral_norm: bool = True,
        dropout: float = 0.0,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        side, halvings = halved_side(image_size)
        widths = [width * 2**power for power in range(halvings)]
        padding = (kernel_size - 1) // 2
        layers: list[nn.Module] = []
        for before, after in zip([channels, *widths], widths, strict=False):
            layers += [
                spectral(nn.Conv2d(before, after, kernel_size, 2, padding), spectral_norm),
                nn.LeakyReLU(slope),
                nn.Dropout(dropout),
            ]
        features = widths[-1] * side * side
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.score = spectral(nn.Linear(features, 1), spectral_norm)
        self.projection = spectral(nn.Linear(num_classes, features, bias=False), spectral_norm) if num_classes else None
        _initialise(self)

    def forward(self, image: Tensor, classes: Tensor | None = None) -> Tensor:
        features = self.layers(image)
        score: Tensor = self.score(features)[:, 0]
        if self.projection is not None and classes is not None:
            score = score + (features * self.projection(classes)).sum(dim=1)
        return score


def halved_side(image_size: int) -> tuple[int, int]:
    """The side after halving while at least 4 pixels are left, and how often; :class:`ValueError` where it is odd."""
    side, halvings = image_size, 0
    while side % 2 == 0 and side // 2 >= _SMALLEST_SIDE:
        side, halvings = side // 2, halvings + 1
    if not halvings or side > 2 * _SMALLEST_SIDE:
        raise ValueError(f"image_size must be 4 to 8 times a power of two, as 28, 32 or 64, not {image_size}")
    return side, halvings


def doubling(before: int, after: int, kernel_size: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles the sides exactly; :class:`ValueError` for a kernel that cannot."""
    if kernel_size < 2:
        raise ValueError(f"kernel_size must be at least 2, not {kernel_size}")
    padding = (kernel_size - 1) // 2
    return nn.ConvTranspose2d(before, after, kernel_size, 2, padding, output_padding=2 - kernel_size + 2 * padding)


def _initialise(network: nn.Module) -> None:
    """Normal weights of deviation 0.02, as published."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
