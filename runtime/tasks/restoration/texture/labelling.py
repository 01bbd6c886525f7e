"""Which offset each pixel of a hole is copied from: a Markov random field, as in shift maps (Pritch et al. 2009).

Two neighbours that are copied from different offsets show a seam, whose cost is how far the colours on both sides of
it differ from what either offset would have given there (Kwatra et al. 2003). A copy also has to resemble the smooth
fill in its low frequencies, and what surrounds its source the hole's surroundings. Labels are found by min-sum belief
propagation (Felzenszwalb & Huttenlocher 2006) at a coarse level, and then adapted along the seams level by level.
"""

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.restoration.texture.level import Level
from edgevision.runtime.tasks.restoration.texture.patch_offsets import Offsets, moved
from edgevision.runtime.tasks.restoration.texture.windows import Array, window_sum

Labels = NDArray[np.int64]
"""(H, W): for each pixel of the hole the index of its offset; 0 elsewhere."""

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))

_ITERATIONS = 12

# Squared differences of colours: more than this from the smooth fill does not count, as it may be wrong.
_MOST_FROM_GUIDE = 0.3
_SURROUNDINGS_WEIGHT = 4
_SURROUNDINGS_RADIUS = 2
_NO_SURROUNDINGS = 0.5
# Of any seam, so that there are few.
_SEAM = 0.005
_IMPOSSIBLE = 1e3


def label_coarsely(level: Level, offsets: Offsets) -> Labels:
    """The labels of the hole, as belief propagation finds them."""
    hole = level.hole
    rows, columns = np.nonzero(hole)
    count, kinds = len(rows), len(offsets)
    from_rows, from_columns = rows[:, None] + offsets[:, 0], columns[:, None] + offsets[:, 1]
    copies = level.colours(from_rows, from_columns)
    cost = _single_costs(level, offsets, rows, columns)
    # The cost of a seam is the sum of what the two offsets differ by on its two sides.
    squares = np.einsum("pkc,pkc->pk", copies, copies)
    differences = squares[:, :, None] + squares[:, None] - 2 * (copies @ copies.transpose(0, 2, 1))
    np.maximum(differences, 0, out=differences)
    differences += np.float32(_SEAM) * (1 - np.eye(kinds, dtype=np.float32))
    number = np.full(hole.shape, -1)
    number[rows, columns] = np.arange(count)
    padded = np.pad(number, 1, constant_values=-1)
    pairs = []
    for down, right in NEIGHBOURS:
        sender = padded[rows + 1 + down, columns + 1 + right]
        pairs.append((np.nonzero(sender >= 0)[0], sender[sender >= 0]))
    messages = np.zeros((4, count, kinds), np.float32)
    for _ in range(_ITERATIONS):
        belief = cost + messages.sum(0)
        received = np.zeros_like(messages)
        for direction, (receiver, sender) in enumerate(pairs):
            # NEIGHBOURS has opposite directions side by side.
            without = belief[sender] - messages[direction ^ 1][sender]
            total = differences[receiver]
            total += differences[sender]
            total += without[:, :, None]
            message = total.min(1)
            received[direction, receiver] = message - message.min(1, keepdims=True)
        messages += received
        messages /= 2
    labels = np.zeros(hole.shape, np.int64)
    labels[rows, columns] = (cost + messages.sum(0)).argmin(1)
    return labels


def _single_costs(
    level: Level, offsets: Offsets, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(N, K): what it costs to copy each of the hole's pixels from each offset, whatever its neighbours do."""
    known = level.sources.astype(np.float32)
    costs = np.empty((len(rows), len(offsets)), np.float32)
    for index, (down, right) in enumerate(offsets):
        to_rows, to_columns = rows + down, columns + right
        guide = _from_guide(level, rows, columns, to_rows, to_columns)
        both = known * moved(known, down, right)
        difference = ((moved(level.picture, down, right) - level.picture) ** 2).sum(-1) * both
        around = window_sum(np.stack([difference, both, known], -1), _SURROUNDINGS_RADIUS)[rows, columns]
        compared = around[:, 1] > 0.5
        surroundings = np.where(compared, around[:, 0] / np.where(compared, around[:, 1], 1), _NO_SURROUNDINGS)
        share = np.minimum(around[:, 2] / (2 * _SURROUNDINGS_RADIUS + 1) ** 2 * 2, 1)
        costs[:, index] = guide + _SURROUNDINGS_WEIGHT * share * surroundings
        costs[~level.may_copy(to_rows, to_columns), index] = _IMPOSSIBLE
    return costs


def _from_guide(
    level: Level,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    from_rows: NDArray[np.int64],
    from_columns: NDArray[np.int64],
) -> Array:
    """How far the low frequencies of the copies are from those of the smooth fill."""
    height, width = level.hole.shape
    copied = level.low[from_rows.clip(0, height - 1), from_columns.clip(0, width - 1)]
    difference: Array = ((copied - level.low[rows, columns]) ** 2).sum(-1)
    return np.minimum(difference, np.float32(_MOST_FROM_GUIDE))


def refine_labels(level: Level, labels: Labels, offsets: Offsets, *, sweeps: int = 2) -> None:
    """Let each pixel of the hole take the label of a neighbour where that costs less (iterated conditional modes)."""
    hole = level.hole
    height, width = hole.shape
    all_rows, all_columns = np.nonzero(hole)
    for sweep in range(2 * sweeps):
        # As on a chessboard: the neighbours of those that change stay as they are.
        now = (all_rows + all_columns) % 2 == sweep % 2
        rows, columns = all_rows[now], all_columns[now]
        own = labels[rows, columns]
        around = []
        for down, right in NEIGHBOURS:
            at = (rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)
            around.append((*at, hole[at]))
        differs = np.zeros(len(rows), np.bool_)
        for down_rows, right_columns, torn in around:
            differs |= ~torn | (labels[down_rows, right_columns] != own)
        rows, columns, own = rows[differs], columns[differs], own[differs]
        around = [(r[differs], c[differs], torn[differs]) for r, c, torn in around]
        candidates = [own, *(np.where(torn, labels[r, c], own) for r, c, torn in around)]
        best, least = own.copy(), np.full(len(own), np.inf, np.float32)
        for candidate in candidates:
            cost = _cost(level, labels, offsets, rows, columns, candidate, around)
            better = cost < least
            best[better], least[better] = candidate[better], cost[better]
        labels[rows, columns] = best


def _cost(
    level: Level,
    labels: Labels,
    offsets: Offsets,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    label: NDArray[np.int64],
    around: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]],
) -> Array:
    """What each pixel costs with ``label`` beside neighbours (row, column, whether in the hole) as they are."""
    down, right = offsets[label].T
    cost = _from_guide(level, rows, columns, rows + down, columns + right)
    cost = np.where(level.may_copy(rows + down, columns + right), cost, np.float32(_IMPOSSIBLE))
    here = level.colours(rows + down, columns + right)
    for beside_rows, beside_columns, torn in around:
        other = np.where(torn, labels[beside_rows, beside_columns], label)
        other_down, other_right = np.where(torn, offsets[other].T, 0)
        this_side = ((level.colours(rows + other_down, columns + other_right) - here) ** 2).sum(-1)
        there = level.colours(beside_rows + other_down, beside_columns + other_right)
        other_side = ((level.colours(beside_rows + down, beside_columns + right) - there) ** 2).sum(-1)
        # What is known has no other offset, so that only its own side tells.
        cost = cost + other_side + np.where(torn, this_side, other_side)
    result: Array = cost
    return result
