"""Differentiable augmentation (Zhao et al. 2020): a discriminator that sees few pictures cannot learn them by heart.

kornia's augmentations were measured at several times a training step of these small networks.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevision.training.settings import DiffAugment


def augment(images: Tensor, kinds: Sequence[DiffAugment]) -> Tensor:
    """``images`` (N, C, H, W) in -1..1, each varied by its own random numbers; gradients pass through."""
    for kind in kinds:
        images = _KINDS[kind](images)
    return images


def _color(images: Tensor) -> Tensor:
    images = images + _random(images) - 0.5
    gray = images.mean(dim=1, keepdim=True)
    images = gray + (images - gray) * (2 * _random(images))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (0.5 + _random(images))


def _translation(images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    reach = (max(1, height // 8), max(1, width // 8))
    padded = F.pad(images, (reach[1], reach[1], reach[0], reach[0]), value=-1.0)
    top = torch.randint(0, 2 * reach[0] + 1, (count, 1), device=images.device)
    left = torch.randint(0, 2 * reach[1] + 1, (count, 1), device=images.device)
    rows = (top + torch.arange(height, device=images.device))[:, :, None]
    columns = (left + torch.arange(width, device=images.device))[:, None, :]
    which = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2)


def _cutout(images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    top = torch.randint(-(height // 4), height - height // 4, (count, 1, 1), device=images.device)
    left = torch.randint(-(width // 4), width - width // 4, (count, 1, 1), device=images.device)
    rows = torch.arange(height, device=images.device)[None, :, None]
    columns = torch.arange(width, device=images.device)[None, None, :]
    inside = (rows >= top) & (rows < top + height // 2) & (columns >= left) & (columns < left + width // 2)
    return images.masked_fill(inside[:, None], -1.0)


def _random(images: Tensor) -> Tensor:
    return torch.rand(len(images), 1, 1, 1, device=images.device)


_KINDS: Mapping[DiffAugment, Callable[[Tensor], Tensor]] = {
    DiffAugment.COLOR: _color,
    DiffAugment.TRANSLATION: _translation,
    DiffAugment.CUTOUT: _cutout,
}
