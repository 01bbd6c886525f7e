"""Which box belongs to which of another set."""

from typing import TYPE_CHECKING

import numpy as np

from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.matching import pair_up

if TYPE_CHECKING:
    from edgevision.runtime.tasks.detection.result import Detections


def matched_pairs(found: "Detections", reference: "Detections", iou: float) -> list[tuple[int, int]]:
    """Pairs (row of ``found``, row of ``reference``) of one class that overlap by ``iou`` and more.

    Each box has one partner at most; those of the highest score choose first, the nearest that is left.
    """
    if not len(found) or not len(reference):
        return []
    overlap = intersection_over_union(found.boxes, reference.boxes)
    overlap[found.classes[:, None] != reference.classes[None]] = -1
    return pair_up(overlap, np.argsort(-found.scores, kind="stable"), iou)
