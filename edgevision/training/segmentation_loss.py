"""What maps of a picture are compared with the right ones by."""

import torch
import torch.nn.functional as F
from torch import Tensor

_GAP_WEIGHT = 5.0
"""How much more a pixel between neighbours counts than another."""


def dice_loss(shares: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """One minus the overlap of each class, 2 |A and B| / (|A| + |B|), over the batch, and of those that are there the
    mean (after Milletari et al. 2016).

    Args:
        shares: predicted, float32 (N, C, H, W) in 0..1.
        target: the right ones, as ``shares``.
        counted: float32 (N, 1, H, W), 0 where a pixel counts for nothing.
    """
    shares, target = shares * counted, target * counted
    both = (shares * target).sum(dim=(0, 2, 3))
    all_of_it = (shares + target).sum(dim=(0, 2, 3))
    there = target.sum(dim=(0, 2, 3)) > 0
    overlap = (2 * both + 1) / (all_of_it + 1)
    return ((1 - overlap) * there).sum() / there.sum().clamp(min=1)


def class_loss(logits: Tensor, classes: Tensor, ignored: int, weights: Tensor | None) -> Tensor:
    """Cross-entropy and dice of classes: logits (N, C, H, W), ``classes`` int64 (N, H, W), ``weights`` float32 (C,)."""
    counted = classes != ignored
    known = classes.where(counted, torch.zeros_like(classes))
    right = F.one_hot(known, logits.shape[1]).permute(0, 3, 1, 2).float()
    each = F.cross_entropy(logits, known, reduction="none")
    weight = counted if weights is None else counted * weights[known]
    entropy = (each * weight).sum() / weight.sum().clamp(min=1)
    return entropy + dice_loss(torch.softmax(logits, dim=1), right, counted[:, None].float())


def foreground_loss(logits: Tensor, foreground: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy and dice of one map: logits, ``foreground`` in 0..1 and ``counted``, float32 (N, 1, H, W)."""
    dice = dice_loss(torch.sigmoid(logits), foreground, (counted > 0).float())
    return distance_loss(logits, foreground, counted) + dice


def distance_loss(logits: Tensor, distance: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy of numbers in 0..1, as Schmidt et al. 2018 have it for how near a pixel is to a centre."""
    each = F.binary_cross_entropy_with_logits(logits, distance, counted, reduction="sum")
    return each / counted.sum().clamp(min=1)


def gap_weights(gaps: Tensor, counted: Tensor) -> Tensor:
    """``counted``, and more of it where ``gaps`` in 0..1 part neighbours; all float32 (N, 1, H, W)."""
    return counted * (1 + _GAP_WEIGHT * gaps)
