"""Boxes that overlap: non-maximum suppression, and blending."""

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.box_overlap import box_areas
from edgevision.runtime.tasks.detection.spec import Merge

Boxes = NDArray[np.float32]
"""(N, 4): x1, y1, x2, y2."""


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
    left = np.argsort(-scores, kind="stable")
    low, high, areas = boxes[:, :2], boxes[:, 2:], box_areas(boxes)
    kept: list[int] = []
    groups: list[NDArray[np.int64]] = []
    while len(left) and len(kept) < most:
        best = left[0]
        shared = np.minimum(high[best], high[left]) - np.maximum(low[best], low[left])
        overlap = np.clip(shared, 0, None).prod(axis=1)
        # Without a division, of which two boxes without area would be none.
        same = overlap > iou * (areas[best] + areas[left] - overlap)
        if classes is not None:
            same &= classes[left] == classes[best]
        same[0] = True
        kept.append(int(best))
        groups.append(left[same])
        left = left[~same]
    rows = np.array(kept, np.int64)
    if merge is Merge.SUPPRESS or not kept:
        return rows, boxes[rows], scores[rows], None if points is None else points[rows]
    weights = [scores[group] / max(float(scores[group].sum()), 1e-12) for group in groups]
    blended = np.stack([weight @ boxes[group] for weight, group in zip(weights, groups, strict=True)])
    mean_scores = np.array([scores[group].mean() for group in groups], np.float32)
    if points is not None:
        pairs = zip(weights, groups, strict=True)
        points = np.stack([np.tensordot(weight, points[group], 1) for weight, group in pairs])
    return rows, blended.astype(np.float32), mean_scores, points
