"""Average precision as COCO defines it: 101 recalls, ten overlaps, sizes, ignored regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.box_overlap import box_areas, intersection_over_union

Array = NDArray[np.float64]

OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)
_AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
_MOST = 100


class Truth(NamedTuple):
    """What is in one picture: boxes (N, 4) x1, y1, x2, y2, classes (N,), and which are neither missed nor found."""

    boxes: Array
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]


class Found(NamedTuple):
    """What was found in it: boxes (N, 4), scores (N,) and classes (N,)."""

    boxes: Array
    scores: Array
    classes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """What was found (N) in one picture and what is there (M), of boxes, masks or points.

    Attributes:
        scores, classes, areas: (N,) of what was found; areas are in pixels.
        true_classes, true_areas: (M,).
        ignored: (M,): what is neither missed nor found.
        overlap: (N, M), intersection over union; with what is ignored the part of what was found that lies in it. Of
            points it is their similarity.
        crowd: (M,): what several of those that were found may be; ``None`` for all that is ignored.
    """

    scores: Array
    classes: NDArray[np.int64]
    areas: Array
    true_classes: NDArray[np.int64]
    true_areas: Array
    ignored: NDArray[np.bool_]
    overlap: Array
    crowd: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Figures in 0..1; NaN where there is nothing to be found.

    Attributes:
        precision: (overlaps, recalls, classes) of all sizes: the curves.
        by_class: (overlaps, classes).
        sizes: the mean over overlaps and classes by size: small, medium, large.
        sizes_by_class: the same of each class, (classes,).
        recall: (overlaps, classes), with at most 100 boxes a picture.
    """

    precision: Array
    by_class: Array
    sizes: dict[str, float]
    sizes_by_class: dict[str, Array]
    recall: Array

    @property
    def mean(self) -> float:
        """Over the ten overlaps from 0.5 to 0.95 and the classes: mAP50-95."""
        return _mean(self.by_class)

    def at(self, overlap: float) -> float:
        """Over the classes, at one of :data:`OVERLAPS`: mAP50, mAP75."""
        return _mean(self.by_class[int(np.abs(OVERLAPS - overlap).argmin())])


def average_precision(found: Sequence[Found], truth: Sequence[Truth], classes: int) -> AveragePrecision:
    """Of the boxes that were found in pictures, one of each for every picture."""
    return average_precision_of([_pairs(one, other) for one, other in zip(found, truth, strict=True)], classes)


def average_precision_of(pictures: Sequence[Pairs], classes: int, most: int = _MOST) -> AveragePrecision:
    """Of what was found in pictures, of which the best ``most`` of a picture and class count.

    Matching, interpolation and sizes are those of pycocotools' ``COCOeval`` with ``iouType`` "bbox" or "segm"; of
    points, with "keypoints", ``most`` is 20.
    """
    curves = {area: _curves(pictures, classes, ends, most) for area, ends in _AREAS.items()}
    precision, recall = curves["all"]
    areas = {area: curves[area][0].mean(axis=1) for area in ("small", "medium", "large")}
    sizes = {area: _mean(values) for area, values in areas.items()}
    by_class = {area: values.mean(axis=0) for area, values in areas.items()}
    return AveragePrecision(precision, _over_recalls(precision), sizes, by_class, recall)


class PrecisionOfPictures:
    """mAP50-95 of any of the pictures: what was found in each is matched with what is there only once."""

    def __init__(self, found: Sequence[Found], truth: Sequence[Truth], classes: int) -> None:
        pairs = [_pairs(one, other) for one, other in zip(found, truth, strict=True)]
        self._matches = [[_match(one, index, _AREAS["all"], _MOST) for one in pairs] for index in range(classes)]

    def mean(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """0..1, of all pictures or of those that are ``chosen`` (pictures,)."""
        taken = [
            [match for place, match in enumerate(matches) if chosen is None or chosen[place]]
            for matches in self._matches
        ]
        return _mean(_over_recalls(_curves_of(taken)[0]).mean(axis=0))


def _pairs(found: Found, truth: Truth) -> Pairs:
    boxes, things = found.boxes.astype(float), truth.boxes.astype(float)
    return Pairs(
        scores=found.scores.astype(float),
        classes=found.classes,
        areas=box_areas(boxes),
        true_classes=truth.classes,
        true_areas=box_areas(things),
        ignored=truth.ignored,
        overlap=intersection_over_union(boxes, things, truth.ignored),
    )


def _over_recalls(precision: Array) -> Array:
    """The area under each curve; NaN where there is nothing to be found."""
    area: Array = precision.mean(axis=1)
    return area


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _curves(pictures: Sequence[Pairs], classes: int, area: tuple[float, float], most: int) -> tuple[Array, Array]:
    return _curves_of([[_match(pairs, index, area, most) for pairs in pictures] for index in range(classes)])


def _curves_of(matches_of_classes: "Sequence[Sequence[_Match]]") -> tuple[Array, Array]:
    precision = np.full((len(OVERLAPS), len(_RECALLS), len(matches_of_classes)), np.nan)
    recall = np.full((len(OVERLAPS), len(matches_of_classes)), np.nan)
    for index, matches in enumerate(matches_of_classes):
        positives = sum(match.positives for match in matches)
        if not positives:
            continue
        scores = np.concatenate([match.scores for match in matches])
        order = np.argsort(-scores, kind="mergesort")
        hit = np.concatenate([match.hit for match in matches], axis=1)[:, order]
        out = np.concatenate([match.out for match in matches], axis=1)[:, order]
        true = np.cumsum(hit & ~out, axis=1).astype(float)
        false = np.cumsum(~hit & ~out, axis=1).astype(float)
        for row in range(len(OVERLAPS)):
            recalls = true[row] / positives
            precisions = true[row] / np.maximum(true[row] + false[row], np.spacing(1))
            # The best precision at this recall and any higher one.
            envelope = np.maximum.accumulate(precisions[::-1])[::-1]
            places = np.searchsorted(recalls, _RECALLS, side="left")
            inside = places < len(envelope)
            precision[row, :, index] = 0.0
            precision[row, inside, index] = envelope[places[inside]]
            recall[row, index] = recalls[-1] if len(recalls) else 0.0
    return precision, recall


class _Match(NamedTuple):
    """Of one picture and class: scores (N,), what is a hit and what does not count (overlaps, N), and how many there
    are to be found."""

    scores: Array
    hit: NDArray[np.bool_]
    out: NDArray[np.bool_]
    positives: int


def _match(pairs: Pairs, index: int, area: tuple[float, float], most: int) -> _Match:
    rows = np.flatnonzero(pairs.classes == index)
    rows = rows[np.argsort(-pairs.scores[rows], kind="mergesort")][:most]
    own = np.flatnonzero(pairs.true_classes == index)
    ignored = pairs.ignored[own] | (pairs.true_areas[own] < area[0]) | (pairs.true_areas[own] > area[1])
    # What counts comes first, so that it is preferred.
    order = np.argsort(ignored, kind="mergesort")
    own, ignored = own[order], ignored[order]
    crowd = (pairs.ignored if pairs.crowd is None else pairs.crowd)[own]
    overlap = pairs.overlap[np.ix_(rows, own)]
    hit = np.zeros((len(OVERLAPS), len(rows)), bool)
    out = np.zeros_like(hit)
    for row, least in enumerate(OVERLAPS):
        taken = np.zeros(len(own), bool)
        for place in range(len(rows)):
            best = _best(overlap[place], taken, crowd, ignored, min(least, 1 - 1e-10))
            if best is not None:
                hit[row, place], out[row, place], taken[best] = True, ignored[best], True
    areas = pairs.areas[rows]
    out |= ~hit & ((areas < area[0]) | (areas > area[1]))
    return _Match(pairs.scores[rows], hit, out, int((~ignored).sum()))


def _best(
    overlap: Array, taken: NDArray[np.bool_], crowd: NDArray[np.bool_], ignored: NDArray[np.bool_], least: float
) -> int | None:
    """The thing that was found, of those that nothing better is; one that counts before one that does not."""
    possible = (~taken | crowd) & (overlap >= least)
    for members in (possible & ~ignored, possible & ignored):
        if members.any():
            candidates = np.where(members, overlap, -1.0)
            # Of equals the last, as the reference takes.
            return len(candidates) - 1 - int(candidates[::-1].argmax())
    return None
