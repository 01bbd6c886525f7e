"""Which cells of a detector are to tell of which thing (Feng et al. 2021, "TOOD")."""

from typing import NamedTuple

import torch
from torch import Tensor

_ALPHA, _BETA = 0.5, 6.0
"""How much the score and the overlap count for how well a cell is aligned with a thing."""
_CELLS = 10
"""How many cells may tell of one thing."""


class Assignment(NamedTuple):
    """For each cell of one picture.

    Attributes:
        thing: int64 (cells,), the thing it is to tell of; -1 for none.
        quality: float32 (cells,), 0..1: what it is to have for the score of that thing's class.
    """

    thing: Tensor
    quality: Tensor


@torch.no_grad()
def assign_cells(scores: Tensor, boxes: Tensor, centers: Tensor, things: Tensor, labels: Tensor) -> Assignment:
    """The cells that tell of ``things`` best as it is, by s^0.5 IoU^6: at most 10 for one thing.

    Only cells with their centre in a thing's box can tell of it; where there is none, the nearest does. A cell that
    several things ask for is that of the one it overlaps most. The quality of a thing's best cell is the greatest IoU
    that it has, that of the others lower in proportion.

    Args:
        scores: (cells, classes) in 0..1.
        boxes: (cells, 4) x1, y1, x2, y2.
        centers: (cells, 2).
        things: (M, 4) x1, y1, x2, y2.
        labels: int64 (M,).
    """
    cells = len(scores)
    if not len(things):
        return Assignment(scores.new_full((cells,), -1, dtype=torch.long), scores.new_zeros(cells))
    overlap = pairwise_iou(things, boxes)  # (M, cells)
    inside = inside_boxes(centers, things)
    lost = ~inside.any(dim=1)
    if lost.any():
        middles = (things[lost, :2] + things[lost, 2:]) / 2
        nearest = torch.cdist(middles, centers).argmin(dim=1)
        inside[lost.nonzero()[:, 0], nearest] = True
    alignment = scores[:, labels].T ** _ALPHA * overlap**_BETA
    # Untrained, nothing overlaps; those inside are to be told from the others all the same.
    best = torch.where(inside, alignment, -1.0).topk(min(_CELLS, cells), dim=1).indices
    chosen = torch.zeros_like(inside).scatter_(1, best, True) & inside
    thing = torch.where(chosen, overlap, -1.0).argmax(dim=0)
    chosen &= torch.arange(len(things), device=thing.device)[:, None] == thing
    alignment = alignment * chosen
    highest = alignment.amax(dim=1, keepdim=True).clamp(min=1e-9)
    most = (overlap * chosen).amax(dim=1, keepdim=True)
    quality = (alignment / highest * most).amax(dim=0)
    return Assignment(torch.where(chosen.any(dim=0), thing, -1), quality)


def inside_boxes(centers: Tensor, boxes: Tensor) -> Tensor:
    """bool (M, cells): whether a centre (cells, 2) lies in a box (M, 4)."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    return ((centers > low) & (centers < high)).all(dim=2)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """(M, K): the overlap of every box of (M, 4) with every one of (K, 4)."""
    low = torch.maximum(first[:, None, :2], second[:, :2])
    high = torch.minimum(first[:, None, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1] - shared).clamp(min=1e-9)
