"""From rows to boxes, scores and points in pixels of the network's input."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.figures import softmax
from edgevision.runtime.tasks.detection.rows import Rows, grid_size
from edgevision.runtime.tasks.detection.spec import BoxCoding, Field, HeadSpec, Level, Scores, Unit

Array = NDArray[np.float32]


class Priors(NamedTuple):
    """Of each row: the centre (N, 2) and the size (N, 2) of its prior box and the stride (N, 1) of its level."""

    centers: Array
    sizes: Array
    strides: Array

    def of(self, chosen: NDArray[np.int64]) -> "Priors":
        """Those of some rows."""
        return Priors(self.centers[chosen], self.sizes[chosen], self.strides[chosen])


class Candidates(NamedTuple):
    """Boxes that may be answers: (N, 4) x1, y1, x2, y2, scores (N,), classes (N,), points (N, P, 2 or 3), and the
    coefficients of their masks (N, C)."""

    boxes: Array
    scores: Array
    classes: NDArray[np.int64]
    points: Array | None
    coefficients: Array | None = None


def priors(head: HeadSpec, height: int, width: int) -> Priors:
    """The prior boxes of a head over an input of that size, in the order of its rows."""
    return _priors(
        tuple((level.stride, level.anchors) for level in head.levels),
        head.anchors_last,
        head.cell_offset,
        head.even_cells,
        height,
        width,
    )


@lru_cache(maxsize=8)  # a camera's pictures have one size
def _priors(
    levels: tuple[tuple[int, tuple[tuple[float, float], ...]], ...],
    anchors_last: bool,
    offset: float,
    even_cells: bool,
    height: int,
    width: int,
) -> Priors:
    centers, sizes, strides = [], [], []
    for stride, anchors in levels:
        rows, columns = grid_size(Level(stride=stride), height, width)
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        side = np.array([width / columns, height / rows] if even_cells else [stride, stride], np.float32)
        cells = (np.stack([x, y], axis=-1).reshape(-1, 2) + np.float32(offset)) * side
        own = np.array(anchors or ((stride, stride),), np.float32)
        if anchors_last:
            centers.append(np.repeat(cells, len(own), axis=0))
            sizes.append(np.tile(own, (len(cells), 1)))
        else:
            centers.append(np.tile(cells, (len(own), 1)))
            sizes.append(np.repeat(own, len(cells), axis=0))
        strides.append(np.full((len(cells) * len(own), 1), stride, np.float32))
    return Priors(np.concatenate(centers), np.concatenate(sizes), np.concatenate(strides))


def candidates(
    head: HeadSpec, rows: Rows, height: int, width: int, *, min_score: float, multi_label: bool
) -> Candidates:
    """The boxes with a score of ``min_score`` and more, of an input of that size; NaN is no score.

    Only the rows that are chosen are decoded: most are of nothing.
    """
    place = priors(head, height, width) if head.coding.has_priors else None
    if not head.peaks:
        possible = _possible_rows(head, rows, min_score)
        rows = {field: values[possible] for field, values in rows.items()}
        place = place.of(possible) if place is not None else None
    scores = _scores(head, rows)
    if head.peaks:
        scores = _peaks(head, scores, height, width)
    if multi_label:
        chosen, classes = np.nonzero(scores >= min_score)
        found = scores[chosen, classes]
    else:
        best = scores.argmax(axis=1) if scores.shape[1] > 1 else np.zeros(len(scores), np.int64)
        found = scores[np.arange(len(scores)), best]
        chosen = np.flatnonzero(found >= min_score)
        found, classes = found[chosen], best[chosen]
    if Field.CLASS in rows:
        classes = np.rint(rows[Field.CLASS][chosen, 0]).astype(np.int64)
    place = place.of(chosen) if place is not None else None
    boxes = _boxes(head, {field: values[chosen] for field, values in rows.items()}, place, (width, height))
    points = None
    if head.points:
        points = _points(head, rows[Field.POINTS][chosen], place, (width, height))
    usable = np.isfinite(boxes).all(axis=1) & (classes >= 0)
    if points is not None:
        usable &= np.isfinite(points).all(axis=(1, 2))
        points = points[usable]
    coefficients = rows[Field.COEFFICIENTS][chosen][usable] if head.coefficients else None
    if coefficients is not None and head.coefficient_tanh:
        coefficients = np.tanh(coefficients)
    return Candidates(boxes[usable], found[usable].astype(np.float32), classes[usable], points, coefficients)


def rows_are_nan(rows: Rows) -> bool:
    """Whether there are rows, and not one has a score that is a number."""
    scores = [rows[field] for field in (Field.SCORES, Field.SCORE, Field.OBJECTNESS) if field in rows]
    return any(values.size > 0 and bool(np.isnan(values).all()) for values in scores)


def _possible_rows(head: HeadSpec, rows: Rows, min_score: float) -> NDArray[np.int64]:
    """The rows that can have a score of ``min_score``: to know the scores of all of them would take longest."""
    # Of scores and objectness, both at most 1, none is below their product, or below the square of its root.
    least = (min_score**2 if head.geometric else min_score) - 1e-3
    possible = np.arange(len(next(iter(rows.values()))))
    fields = ((Field.OBJECTNESS, head.objectness), (Field.SCORE, head.scores), (Field.SCORES, head.scores))
    for field, activation in fields:
        if field in rows and least > 0:
            values = rows[field] if len(possible) == len(rows[field]) else rows[field][possible]
            background = head.background if field is Field.SCORES else None
            possible = possible[_reaches(values, least, activation, background)]
    return possible


def _reaches(values: Array, least: float, activation: Scores, background: int | None) -> NDArray[np.bool_]:
    """(rows,): false where each score is below ``least`` for certain; a row with NaN is not."""
    if background is None:
        highest = values.max(axis=1)
    else:
        columns = np.array(values.T, order="C")
        nothing = columns[background].copy()
        columns[background] = -np.inf
        highest = columns.max(axis=0)
        if activation is Scores.SOFTMAX:  # the share of a class and that of the background are 1 together at most
            highest -= nothing
    if activation is Scores.SOFTMAX and background is None:
        return np.ones(len(values), bool)
    below: NDArray[np.bool_] = highest < (least if activation is Scores.NONE else np.log(least / (1 - least)))
    return ~below


def _scores(head: HeadSpec, rows: Rows) -> Array:
    """(rows, classes) in 0..1."""
    field = Field.SCORES if Field.SCORES in rows else Field.SCORE
    scores = _activated(rows[field], head.scores) if field in rows else None
    if scores is not None and head.background is not None and field is Field.SCORES:
        scores = np.delete(scores, head.background, axis=1)
    if Field.OBJECTNESS in rows:
        objectness = _activated(rows[Field.OBJECTNESS], head.objectness)
        scores = objectness if scores is None else scores * objectness
        if head.geometric:
            scores = np.sqrt(np.clip(scores, 0, None))
    assert scores is not None  # a head without any is refused
    return np.where(np.isfinite(scores), scores, np.float32(-1))


def _activated(values: Array, activation: Scores) -> Array:
    if activation is Scores.SIGMOID:
        return sigmoid(values)
    if activation is Scores.SOFTMAX:
        return softmax(values)
    return values


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    halved: Array = 0.5 * (1 + np.tanh(0.5 * values))
    return halved


def _peaks(head: HeadSpec, scores: Array, height: int, width: int) -> Array:
    """The scores that none of the eight cells round them exceeds; -1 for the others."""
    rows, columns = grid_size(head.levels[0], height, width)
    maps = scores.reshape(rows, columns, -1)
    framed = np.pad(maps, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    highest = np.max([framed[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
    return np.where(maps == highest, maps, np.float32(-1)).reshape(scores.shape)


def _boxes(head: HeadSpec, rows: Rows, place: Priors | None, size: tuple[int, int]) -> Array:
    coding = head.coding
    if place is None:
        t = rows[Field.BOX] * np.array(size * 2, np.float32) if head.unit is Unit.INPUT else rows[Field.BOX]
        if head.unit is Unit.INPUT and coding is BoxCoding.YX_CORNERS:
            t = rows[Field.BOX] * np.array(size[::-1] * 2, np.float32)
        if coding is BoxCoding.CORNERS:
            return t
        if coding is BoxCoding.YX_CORNERS:
            return t[:, [1, 0, 3, 2]]
        if coding is BoxCoding.ORIGIN:
            return np.concatenate([t[:, :2], t[:, :2] + t[:, 2:]], axis=1)
        return _from_center(t[:, :2], t[:, 2:])
    centers, sizes, strides = place
    if coding is BoxCoding.CENTERS:
        unit = _unit(head, place, size)
        return _from_center(centers + rows[Field.OFFSET] * strides, rows[Field.SIZE] * unit)
    t = rows[Field.BOX][:, [1, 0, 3, 2]] if coding is BoxCoding.YX_PRIORS else rows[Field.BOX]
    if coding is BoxCoding.DISTANCES:
        distances = _expectation(t, head.bins) * np.tile(_unit(head, place, size), 2)
        return np.concatenate([centers - distances[:, :2], centers + distances[:, 2:]], axis=1)
    xy, wh = t[:, :2], t[:, 2:]
    if coding in (BoxCoding.PRIORS, BoxCoding.YX_PRIORS):
        first, second = map(np.float32, head.variances)
        return _from_center(centers + first * xy * sizes, sizes * _exp(second * wh))
    if coding is BoxCoding.SHIFTS:
        unit = _unit(head, place, size)
        return _from_center(centers + xy * unit, wh * unit)
    if coding is BoxCoding.YOLO_EXP:
        return _from_center(centers + strides * sigmoid(xy), sizes * _exp(wh))
    if coding is BoxCoding.YOLO_SQUARE:
        return _from_center(centers + strides * (2 * sigmoid(xy) - 0.5), sizes * (2 * sigmoid(wh)) ** 2)
    return _from_center(centers + strides * xy, strides * _exp(wh))


def _points(head: HeadSpec, values: Array, place: Priors | None, size: tuple[int, int]) -> Array:
    table = values.reshape(len(values), head.points, head.point_width)
    t = table[:, :, :2] * np.float32(head.point_scale)
    if place is None:
        xy = t * np.array(size, np.float32) if head.unit is Unit.INPUT else t
        if head.coding is BoxCoding.YX_CORNERS:
            xy = xy[:, :, ::-1]
    else:
        centers, sizes = place.centers[:, None], place.sizes[:, None]
        if head.coding is BoxCoding.PRIORS:
            xy = centers + np.float32(head.variances[0]) * t * sizes
        elif head.coding in (BoxCoding.SHIFTS, BoxCoding.DISTANCES):
            xy = centers + t * _unit(head, place, size)[:, None]
        else:
            xy = centers + t * place.strides[:, None]
    return np.concatenate([xy, table[:, :, 2:]], axis=2) if head.point_width == 3 else xy


def _unit(head: HeadSpec, place: Priors, size: tuple[int, int]) -> Array:
    """The widths and heights (N, 2) that coded lengths are multiples of."""
    if head.unit is Unit.STRIDES:
        return np.repeat(place.strides, 2, axis=1)
    unit = size if head.unit is Unit.INPUT else (1.0, 1.0)
    return np.broadcast_to(np.array(unit, np.float32), (len(place.strides), 2))


def _expectation(t: Array, bins: int) -> Array:
    """The four distances of a distribution over ``bins`` each."""
    if bins == 1:
        return t
    shares = softmax(t.reshape(len(t), 4, bins))
    return np.asarray(shares @ np.arange(bins, dtype=np.float32), np.float32)


def _exp(values: Array) -> Array:
    # No box is e^12 times its prior: what is out of range must not become infinite.
    return np.exp(np.minimum(values, np.float32(12)))


def _from_center(center: Array, size: Array) -> Array:
    half = size / 2
    return np.concatenate([center - half, center + half], axis=1)
