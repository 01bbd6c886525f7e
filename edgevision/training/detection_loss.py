"""What a detector is taught by: classes, overlap, and the distances of the sides."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevision.training.box_assignment import assign_cells, inside_boxes

_CLASSES, _OVERLAP, _DISTANCES = 0.5, 7.5, 1.5
"""Weights of the three terms."""


class Grid(NamedTuple):
    """The cells of a detector: their middles (cells, 2) and strides (cells, 1) in pixels of the input."""

    centers: Tensor
    strides: Tensor


def cell_grid(height: int, width: int, strides: tuple[int, ...], device: torch.device) -> Grid:
    """The cells over an input of that size, whose sides are multiples of every stride."""
    centers, sides = [], []
    for stride in strides:
        y, x = torch.meshgrid(
            torch.arange(height // stride, device=device), torch.arange(width // stride, device=device), indexing="ij"
        )
        centers.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
        sides.append(torch.full((x.numel(), 1), float(stride), device=device))
    return Grid(torch.cat(centers), torch.cat(sides))


def decode_boxes(distributions: Tensor, centers: Tensor, strides: Tensor) -> Tensor:
    """(..., 4) x1, y1, x2, y2 of logits (..., 4, bins): the expected distances from ``centers`` (..., 2) in strides."""
    values = torch.arange(distributions.shape[-1], dtype=distributions.dtype, device=distributions.device)
    distances = distributions.softmax(dim=-1) @ values * strides
    return torch.cat([centers - distances[..., :2], centers + distances[..., 2:]], dim=-1)


def detection_loss(distributions: Tensor, logits: Tensor, grid: Grid, things: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The loss of a batch: cross entropy with the quality of each cell, GIoU, and distribution focal loss.

    Args:
        distributions: float32 (N, cells, 4, bins).
        logits: float32 (N, cells, classes).
        grid: where the cells are.
        things: of each picture boxes (M, 4) and labels int64 (M,); with the label -1 a box is neither to be found nor
            not to be found.
    """
    with torch.no_grad():
        decoded = decode_boxes(distributions, grid.centers, grid.strides)
        each = [_targets(*picture, grid.centers) for picture in zip(logits.sigmoid(), decoded, things, strict=True)]
        targets = _Targets(*map(torch.stack, zip(*each, strict=True)))
        quality = targets.scores.sum(dim=2)
        pictures, cells = (quality > 0).nonzero(as_tuple=True)
        weights = quality[pictures, cells]
        wanted = targets.boxes[pictures, cells]
    errors = F.binary_cross_entropy_with_logits(logits, targets.scores, reduction="none").sum(dim=2)
    classes = (errors * targets.counted).sum()
    # Most cells are of nothing, and their boxes need no gradient.
    own, centers, strides = distributions[pictures, cells], grid.centers[cells], grid.strides[cells]
    boxes = decode_boxes(own, centers, strides)
    overlap = ((1 - generalised_iou(boxes, wanted)) * weights).sum()
    sides = torch.cat([centers - wanted[:, :2], wanted[:, 2:] - centers], dim=1) / strides
    distances = (_distribution_focal(own, sides) * weights).sum()
    terms: Tensor = _CLASSES * classes + _OVERLAP * overlap + _DISTANCES * distances
    return terms / weights.sum().clamp(min=1.0)


class _Targets(NamedTuple):
    """What the cells of one picture, or of several, are to tell.

    Attributes:
        scores: float32 (cells, classes).
        boxes: float32 (cells, 4), where a score is not 0.
        counted: bool (cells,): whether the scores count; not in what is neither to be found nor not.
    """

    scores: Tensor
    boxes: Tensor
    counted: Tensor


def _targets(scores: Tensor, boxes: Tensor, things: tuple[Tensor, Tensor], centers: Tensor) -> _Targets:
    real = things[1] >= 0
    wanted, labels = things[0][real], things[1][real]
    found = assign_cells(scores, boxes, centers, wanted, labels)
    cells = (found.thing >= 0).nonzero()[:, 0]
    target = torch.zeros_like(scores)
    target[cells, labels[found.thing[cells]]] = found.quality[cells]
    places = torch.zeros_like(boxes)
    places[cells] = wanted[found.thing[cells]]
    unsure = inside_boxes(centers, things[0][~real]).any(dim=0) & (found.thing < 0)
    return _Targets(target, places, ~unsure)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """(K,): the overlap of boxes (K, 4) in pairs, less the empty share of what holds both (Rezatofighi et al. 2019)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = sum((boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second))
    union = (areas - shared).clamp(min=1e-9)
    low, high = torch.minimum(first[:, :2], second[:, :2]), torch.maximum(first[:, 2:], second[:, 2:])
    around = (high - low).prod(dim=1).clamp(min=1e-9)
    return shared / union - (around - union) / around


def _distribution_focal(logits: Tensor, sides: Tensor) -> Tensor:
    """(K,): cross entropy with the two bins round each side's distance (Li et al. 2020, equation 6); (K, 4, bins)."""
    bins = logits.shape[-1]
    sides = sides.clamp(0, bins - 1.01)
    left = sides.long()
    share = sides - left
    log_shares = logits.log_softmax(dim=-1)
    below = log_shares.gather(2, left[..., None])[..., 0]
    above = log_shares.gather(2, left[..., None] + 1)[..., 0]
    return -((1 - share) * below + share * above).mean(dim=1)
