"""Pictures of a batch mixed with one another, and their labels in the same proportion."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevision.training.settings import Mix


def mix(images: Tensor, labels: Tensor, kinds: Sequence[Mix], classes: int) -> tuple[Tensor, Tensor]:
    """``images`` (N, C, H, W), each mixed with another of the batch, and the share (N, classes) of each class in them.

    One of ``kinds`` is drawn for the batch, and evenly from 0..1 how much of the others goes in.
    """
    shares = F.one_hot(labels, classes).to(images.dtype)
    kind = kinds[int(torch.randint(len(kinds), ()))]
    kept = float(torch.rand(()))
    others = torch.randperm(len(images), device=images.device)
    if kind is Mix.MIXUP:
        mixed = kept * images + (1 - kept) * images[others]
    else:
        mixed, kept = _with_box_of_others(images, images[others], kept)
    return mixed, kept * shares + (1 - kept) * shares[others]


def _with_box_of_others(images: Tensor, others: Tensor, kept: float) -> tuple[Tensor, float]:
    """A box anywhere, of the picture's proportions and 1 - ``kept`` of its area, and what the border left of that."""
    height, width = images.shape[2:]
    half = (1 - kept) ** 0.5 / 2
    down, along = torch.rand(2).tolist()
    top, bottom = (min(max(round((down + way * half) * height), 0), height) for way in (-1, 1))
    left, right = (min(max(round((along + way * half) * width), 0), width) for way in (-1, 1))
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)
