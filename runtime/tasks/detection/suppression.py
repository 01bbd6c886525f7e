"""Boxes that overlap: non-maximum suppression, and blending."""

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.box_overlap import box_areas
from edgevision.runtime.tasks.detection.spec import Merge

_BLOCK = 64
"""Boxes that are compared with all others at once: as many as a number has bits."""

Boxes = NDArray[np.float32]
"""(N, 4): x1, y1, x2, y2."""


Side = NDArray[np.float32]


def merge_overlapping(
    boxes: Boxes,
    scores: NDArray[np.float32],
    classes: NDArray[np.int64] | None,
    points: NDArray[np.float32] | None,
    *,
    iou: float,
    most: int,
    merge: Merge = Merge.SUPPRESS,
) -> tuple[NDArray[np.int64], Boxes, NDArray[np.float32], NDArray[np.float32] | None]:
    """The things that the boxes are of, the highest score first; of equal scores the earlier row.

    Args:
        boxes, scores: float32 (N, 4) and (N,).
        classes: (N,); boxes of different ones are never the same thing. ``None``: any may be.
        points: float32 (N, P, 2 or 3), blended like the boxes.
        iou: boxes that overlap by more are the same thing.
        most: how many are wanted at most.

    Returns:
        The rows that are kept, int64 (K,), and their boxes, scores and points: their own, or blended.
    """
    order = np.argsort(-scores, kind="stable")
    kept, owners = _owners(boxes[order], None if classes is None else classes[order], iou, most)
    rows = order[kept]
    if merge is Merge.SUPPRESS or not len(kept):
        return rows, boxes[rows], scores[rows], None if points is None else points[rows]
    groups = [order[owners == place] for place in range(len(kept))]
    weights = [scores[group] / max(float(scores[group].sum()), 1e-12) for group in groups]
    blended = np.stack([weight @ boxes[group] for weight, group in zip(weights, groups, strict=True)])
    mean_scores = np.array([scores[group].mean() for group in groups], np.float32)
    if points is not None:
        pairs = zip(weights, groups, strict=True)
        points = np.stack([np.tensordot(weight, points[group], 1) for weight, group in pairs])
    return rows, blended.astype(np.float32), mean_scores, points


def _owners(
    boxes: Boxes, classes: NDArray[np.int64] | None, iou: float, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of boxes whose best is first: which are kept, and for each box the place among those of the one it belongs to.

    The best that are left are compared with all that are left, a block at once, which gives the answer of comparing one
    box after the other in a few large operations.
    """
    owners = np.full(len(boxes), -1, np.int64)
    compare = _Comparison(boxes, classes, iou)
    kept: list[NDArray[np.int64]] = []
    count = 0
    left = np.arange(len(boxes))
    while len(left) and count < most:
        block = left[:_BLOCK]
        same = compare(block, left)
        best = _undisputed(same[:, : len(block)])[: most - count]
        same = same[best]
        same[np.arange(len(best)), best] = True  # also of a box without area
        taken = same.any(axis=0)
        owners[left[taken]] = count + same[:, taken].argmax(axis=0)
        kept.append(block[best])
        count += len(best)
        left = left[~taken]
    return np.concatenate(kept) if kept else left, owners


def _undisputed(same: NDArray[np.bool_]) -> list[int]:
    """The rows of ``same`` (N, N) that none of those before them is the same as that are undisputed themselves."""
    # The bits of one number a row: an array of 64 takes longer to touch than to compute with.
    packed = np.packbits(same, axis=1, bitorder="little")
    numbers = np.zeros((len(same), _BLOCK // 8), np.uint8)
    numbers[:, : packed.shape[1]] = packed
    taken = 0
    rows = []
    for row, bits in enumerate(numbers.view("<u8")[:, 0].tolist()):
        if not taken >> row & 1:
            rows.append(row)
            taken |= bits
    return rows


class _Comparison:
    """Which boxes overlap by more than ``iou`` and are of one class."""

    def __init__(self, boxes: Boxes, classes: NDArray[np.int64] | None, iou: float) -> None:
        self._sides, self._areas = np.ascontiguousarray(boxes.T), box_areas(boxes)
        self._classes, self._iou = classes, iou
        # Memory that is new costs more than the sums that are written to it.
        self._overlap, self._height, self._other = np.empty((3, min(_BLOCK, len(boxes)), len(boxes)), np.float32)

    def __call__(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(some, others), of rows."""
        place = np.s_[: len(some), : len(others)]
        overlap, height, other = self._overlap[place], self._height[place], self._other[place]
        left, top, right, bottom = self._sides[:, some, None]
        to_left, to_top, to_right, to_bottom = self._sides[:, others]
        _shared(left, right, to_left, to_right, other, overlap)
        _shared(top, bottom, to_top, to_bottom, other, height)
        overlap *= height
        union = np.add(self._areas[some, None], self._areas[others], out=other)
        union -= overlap
        union *= self._iou
        same: NDArray[np.bool_] = overlap > union  # without a division, of which two boxes without area would be none
        if self._classes is not None:
            same &= self._classes[some, None] == self._classes[others]
        return same


def _shared(low: Side, high: Side, other_low: Side, other_high: Side, scratch: Side, length: Side) -> None:
    """Write to ``length`` how much of one axis two boxes share."""
    np.minimum(high, other_high, out=length)
    length -= np.maximum(low, other_low, out=scratch)
    np.maximum(length, 0, out=length)
