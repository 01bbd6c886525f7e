"""What things are taken for: classes confused with each other, missed, or seen where there is nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.average_precision import Found, Truth
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.matching import pair_up

_SAME = 0.5


def confusion(found: Sequence[Found], truth: Sequence[Truth], classes: int, min_score: float) -> NDArray[np.int64]:
    """Counts (classes + 1, classes + 1): row i, column j the things of class i that were taken for j.

    A box is what it overlaps by 0.5 and more, whatever the classes; of one class first. The last column is what was
    missed, the last row the boxes where nothing is. What is ignored counts nowhere.
    """
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    for one, things in zip(found, truth, strict=True):
        pairs, false = matches(one, things, min_score)
        taken = {column for _, column in pairs}
        for row, column in pairs:
            counts[things.classes[column], _known(one.classes[row], classes)] += 1
        for column in set(np.flatnonzero(~things.ignored).tolist()) - taken:
            counts[things.classes[column], classes] += 1
        for row in false:
            counts[classes, _known(one.classes[row], classes)] += 1
    return counts


def matches(found: Found, truth: Truth, min_score: float) -> tuple[list[tuple[int, int]], list[int]]:
    """Pairs (box, thing) of boxes with ``min_score`` and more, and the boxes where nothing is."""
    rows = np.flatnonzero(found.scores >= min_score)
    overlap = intersection_over_union(found.boxes[rows].astype(float), truth.boxes.astype(float), truth.ignored)
    counted = np.flatnonzero(~truth.ignored)
    # One more is more than any overlap: boxes of the same class choose first.
    likely = overlap[:, counted] + (found.classes[rows, None] == truth.classes[counted])
    likely[overlap[:, counted] < _SAME] = -1
    order = np.argsort(-found.scores[rows], kind="stable")
    pairs = [(int(rows[row]), int(counted[column])) for row, column in pair_up(likely, order, 1 + _SAME)]
    for row, column in pairs:
        likely[int(np.flatnonzero(rows == row)[0])], likely[:, int(np.flatnonzero(counted == column)[0])] = -1, -1
    pairs += [(int(rows[row]), int(counted[column])) for row, column in pair_up(likely, order, _SAME)]
    paired = {row for row, _ in pairs}
    ignored = overlap[:, truth.ignored].max(axis=1, initial=0) >= _SAME
    return pairs, [int(row) for row, out in zip(rows, ignored, strict=True) if int(row) not in paired and not out]


def _known(index: np.int64, classes: int) -> int:
    """The column of a class; what the data do not know is nothing of theirs."""
    return int(index) if index < classes else classes
