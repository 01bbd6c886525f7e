"""The residual generative adversarial pair (Miyato et al. 2018, appendix B.4), plain or conditioned on a class."""

from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.dcgan import halved_side
from edgevision.models.normalisation import ConditionalBatchNorm, spectral

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


class ResidualGenerator(nn.Module):
    """A dense layer to a small map, then residual blocks that double its sides by repetition.

    Input ``latent`` (N, latent) float32 and, with ``num_classes``, ``classes`` (N, num_classes), 1 for the class to
    draw and 0 for the others; output (N, channels, image_size, image_size) in -1..1. Latent and class also set the gain
    and the bias of every normalisation (Chen et al. 2019). ``width`` is the number of channels before the last layer;
    each earlier scale has half as many more.
    """

    def __init__(
        self, *, image_size: int = 32, channels: int = 3, latent: int = 128, width: int = 64, num_classes: int = 0
    ) -> None:
        super().__init__()
        side, doublings = halved_side(image_size)
        self.latent_shape = (latent,)
        widths = [width * (2 + index) // 2 for index in reversed(range(doublings + 1))]
        self._first = (widths[0], side, side)
        self.dense = _begun(nn.Linear(latent, widths[0] * side * side))
        self.blocks = nn.ModuleList(
            _GeneratorBlock(before, after, latent + num_classes) for before, after in pairwise(widths)
        )
        self.norm = nn.BatchNorm2d(width)
        self.last = _begun(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, latent: Tensor, classes: Tensor | None = None) -> Tensor:
        condition = latent if classes is None else torch.cat((latent, classes), dim=1)
        x = self.dense(latent).unflatten(1, self._first)
        for block in self.blocks:
            x = block(x, condition)
        return torch.tanh(self.last(torch.relu(self.norm(x))))


class ResidualDiscriminator(nn.Module):
    """Residual blocks that halve the sides down to twice those of the generator's first map, and two more.

    Input (N, channels, image_size, image_size) in -1..1 and, with ``num_classes``, ``classes`` (N, num_classes), which
    are projected onto the features (Miyato & Koyama 2018); output (N,) without a bound, higher for real pictures.
    ``width`` is the number of channels at the full size; each halving doubles it.
    """

    def __init__(
        self,
        *,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        num_classes: int = 0,
        spectral_norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _, halvings = halved_side(image_size)
        widths = [channels, *(width * 2**power for power in range(halvings))]
        features = widths[-1]
        blocks = [
            _DiscriminatorBlock(before, after, halve=index < halvings - 1, first=index == 0, norm=spectral_norm)
            for index, (before, after) in enumerate(pairwise([*widths, features]))
        ]
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.score = spectral(_begun(nn.Linear(features, 1)), spectral_norm)
        self.projection = (
            spectral(_begun(nn.Linear(num_classes, features, bias=False)), spectral_norm) if num_classes else None
        )

    def forward(self, image: Tensor, classes: Tensor | None = None) -> Tensor:
        features = self.dropout(torch.relu(self.blocks(image)).sum(dim=(2, 3)))
        score: Tensor = self.score(features)[:, 0]
        if self.projection is not None and classes is not None:
            score = score + (features * self.projection(classes)).sum(dim=1)
        return score


class _GeneratorBlock(nn.Module):
    def __init__(self, before: int, after: int, condition: int) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(before, condition)
        self.conv1 = _begun(nn.Conv2d(before, after, 3, padding=1))
        self.norm2 = ConditionalBatchNorm(after, condition)
        self.conv2 = _begun(nn.Conv2d(after, after, 3, padding=1))
        self.shortcut = _begun(nn.Conv2d(before, after, 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        residual = self.conv1(_doubled(torch.relu(self.norm1(x, condition))))
        residual = self.conv2(torch.relu(self.norm2(residual, condition)))
        # A convolution of single pixels and repeating them may change places, and so costs a quarter.
        doubled: Tensor = _doubled(self.shortcut(x)) + residual
        return doubled


class _DiscriminatorBlock(nn.Module):
    """``first`` is for pictures, of which an activation would lose half."""

    def __init__(self, before: int, after: int, *, halve: bool, first: bool, norm: bool) -> None:
        super().__init__()
        self.conv1 = spectral(_begun(nn.Conv2d(before, after, 3, padding=1)), norm)
        self.conv2 = spectral(_begun(nn.Conv2d(after, after, 3, padding=1)), norm)
        self.shortcut = spectral(_begun(nn.Conv2d(before, after, 1)), norm)
        self._halve = halve
        self._first = first

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(torch.relu(self.conv1(x if self._first else torch.relu(x))))
        if self._halve:
            residual, x = F.avg_pool2d(residual, 2), F.avg_pool2d(x, 2)
        joined: Tensor = self.shortcut(x) + residual
        return joined


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _begun(layer: _Layer) -> _Layer:
    """``layer`` with weights that keep the size of what passes (Glorot & Bengio 2010)."""
    nn.init.xavier_uniform_(layer.weight)
    return layer
