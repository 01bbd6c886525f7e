"""How good a detector is on pictures with boxes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np

from edgevision.core.errors import DatasetError
from edgevision.core.records import Record, record
from edgevision.data.box_annotations import AnnotatedFolder, BoxAnnotations, annotations
from edgevision.data.datasets import ImageFolder
from edgevision.metrics.average_precision import Found, Truth, average_precision
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.matching import pair_up
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.confusion_table import confusion_table
from edgevision.runtime.tasks.detection.confusion import confusion, matches
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.evaluation import QualityReport, measure_each, none_left, worst_pictures

_log = logging.getLogger(__name__)

# Curves need what is found with next to no score.
LEAST_SCORE = 0.01

# A wider one does not fit a terminal; --json and --html have it.
_WIDEST_MATRIX = 12


@record
class DetectedClass(Record):
    """One class: how many things there are, average precision, and precision and recall at the model's own score.

    All figures are in percent; ``None`` where there is nothing to be found, of that size. ``curve`` is the precision,
    0..1, at each recall of 0, 0.01 .. 1, at IoU 0.5.
    """

    label: str
    things: int
    ap: float | None = None
    ap50: float | None = None
    ap_small: float | None = None
    ap_medium: float | None = None
    ap_large: float | None = None
    precision: float | None = None
    recall: float | None = None
    curve: tuple[float, ...] = ()


@record
class DetectionReport(QualityReport):
    """Figures of a detector in percent, as COCO defines them; ``None`` where there is nothing of that size.

    ``map`` is the mean over IoU 0.50 to 0.95. ``min_score`` is that of ``precision`` and ``recall`` of the classes, of
    ``pictures``, which has the F1 of each by name, and of the confusion: ``confusion[i][j]`` counts the things of class
    i that were taken for j, in the last column those that were missed, in the last row boxes where nothing is.
    """

    map: float
    map50: float
    map75: float
    map_small: float | None = None
    map_medium: float | None = None
    map_large: float | None = None
    min_score: float = 0.0
    classes: tuple[DetectedClass, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    pictures: Mapping[str, float] = field(default_factory=dict)

    def headline(self) -> str:
        """Mean average precision."""
        return f"mAP50-95 {self.map:.2f} %  mAP50 {self.map50:.2f} %"

    def table(self) -> str:
        """The figures, and a line for each class."""
        sizes = (("small", self.map_small), ("medium", self.map_medium), ("large", self.map_large))
        first = f"mAP50-95 {self.map:.2f} %  mAP50 {self.map50:.2f} %  mAP75 {self.map75:.2f} %"
        first += "".join(f"  {name} {value:.2f} %" for name, value in sizes if value is not None)
        width = max(len("class"), *(len(score.label) for score in self.classes))
        head = "AP50-95    AP50   small  medium   large  precision  recall  things"
        lines = [first, "", f"{'class':<{width}}  {head}"]
        for score in self.classes:
            sizes_of_class = (score.ap_small, score.ap_medium, score.ap_large)
            cells = (score.ap, score.ap50, *sizes_of_class, score.precision, score.recall)
            numbers = [f"{value:.2f}" if value is not None else "-" for value in cells]
            columns = "  ".join(
                f"{number:>{wide}}" for number, wide in zip(numbers, (7, 6, 6, 6, 6, 9, 6), strict=True)
            )
            lines.append(f"{score.label:<{width}}  {columns}  {score.things:6d}")
        lines += self._confusions()
        lines.append(f"precision, recall and confusion with a score of at least {self.min_score:g}, at IoU 0.5")
        return "\n".join([*lines, worst_pictures(self.pictures)])

    def _confusions(self) -> list[str]:
        """What things were taken for, where a terminal is wide enough."""
        if not self.confusion or len(self.classes) > _WIDEST_MATRIX:
            return []
        labels = [score.label for score in self.classes]
        cells = [[str(count or "") for count in counts] for counts in self.confusion]
        return ["", *confusion_table("taken for", [*labels, "nothing"], [*labels, "missed"], cells), ""]


def evaluate_detector(detector: Detector, data: ImageFolder, *, quiet: bool = False) -> DetectionReport:
    """Find things in every picture of ``data`` that has boxes, and compare.

    Raises:
        DatasetError: no boxes, classes that the model does not know, or not one readable picture.
    """
    annotated = annotations(data)
    labels = class_order(detector.labels, annotated)
    wanted = [index for index, name in enumerate(data.names) if annotated.of(name) is not None]
    failures: dict[str, str] = {}

    def failed(index: int, error: Exception) -> None:
        failures[data.names[index]] = failure_message(data.names[index], error)

    def compared(index: int) -> tuple[Detections, BoxAnnotations]:
        answer = detector(data.image(index))
        return answer, annotated.inside(data.names[index], answer.size)

    own, detector.min_score = detector.min_score, min(detector.min_score, LEAST_SCORE)
    names, found, truth, outside = [], [], [], 0
    try:
        for index, (answer, inside) in measure_each(wanted, compared, failed, quiet=quiet):
            things = annotated.of(data.names[index])
            assert things is not None
            outside += len(things.labels) - len(inside.labels)
            names.append(data.names[index])
            found.append(answer)
            truth.append(truth_of(inside, labels))
    finally:
        detector.min_score = own
    if outside:
        _log.warning("boxes outside of their picture are left out: %d", outside)
    if not found:
        raise none_left(len(wanted), failures)
    if not any((~things.ignored).any() for things in truth):
        raise DatasetError(f"there is no box in {len(truth)} pictures of {str(data.path)!r} that could be found")
    return _report(list(map(found_in, found)), truth, labels, names, own).updated(failures=failures)


def class_order(labels: Sequence[str], annotated: AnnotatedFolder) -> tuple[str, ...]:
    """The classes by the model's own index.

    Raises:
        DatasetError: the data have classes that the model does not know.
    """
    if not labels:
        # The model does not name its classes, which then are those of the data in their order.
        return annotated.class_names
    unknown = [name for name in annotated.class_names if name not in labels]
    if unknown:
        raise DatasetError(
            f"the model does not know the classes {', '.join(unknown[:5])}; it knows {', '.join(labels[:12])}"
        )
    return tuple(labels)


def truth_of(things: BoxAnnotations, labels: Sequence[str]) -> Truth:
    """The things in one picture with the model's class indices."""
    classes = np.array([labels.index(name) for name in things.labels], np.int64)
    return Truth(things.boxes.astype(float), classes, things.ignored)


def found_in(answer: Detections) -> Found:
    """What a detector says of one picture, for :func:`average_precision`."""
    return Found(answer.boxes.astype(float), answer.scores.astype(float), answer.classes)


def _report(
    found: Sequence[Found], truth: Sequence[Truth], labels: Sequence[str], names: Sequence[str], min_score: float
) -> DetectionReport:
    scores = average_precision(found, truth, len(labels))
    table = confusion(found, truth, len(labels), min_score)
    classes = []
    for index, label in enumerate(labels):
        ap = scores.by_class[:, index]
        right, said, there = _at_score(found, truth, index, min_score)
        classes.append(
            DetectedClass(
                label=label,
                things=sum(int((one.classes == index).sum()) for one in truth),
                ap=_percent(ap.mean()),
                ap50=_percent(ap[0]),
                ap_small=_percent(scores.sizes_by_class["small"][index]),
                ap_medium=_percent(scores.sizes_by_class["medium"][index]),
                ap_large=_percent(scores.sizes_by_class["large"][index]),
                precision=100 * right / said if said else None,
                recall=100 * right / there if there else None,
                curve=() if np.isnan(ap[0]) else tuple(np.round(scores.precision[0, :, index], 4).tolist()),
            )
        )
    return DetectionReport(
        images=len(found),
        map=100 * scores.mean,
        map50=100 * scores.at(0.5),
        map75=100 * scores.at(0.75),
        map_small=_percent(scores.sizes["small"]),
        map_medium=_percent(scores.sizes["medium"]),
        map_large=_percent(scores.sizes["large"]),
        min_score=min_score,
        classes=tuple(classes),
        confusion=tuple(map(tuple, table.tolist())),
        pictures={name: _f1(one, things, min_score) for name, one, things in zip(names, found, truth, strict=True)},
    )


def _percent(share: float) -> float | None:
    return None if np.isnan(share) else 100 * float(share)


def _f1(found: Found, truth: Truth, min_score: float) -> float:
    """Of one picture, in percent; 100 where there is nothing and nothing was found."""
    pairs, false = matches(found, truth, min_score)
    right = sum(found.classes[row] == truth.classes[column] for row, column in pairs)
    boxes = len(pairs) + len(false) + int((~truth.ignored).sum())
    return 100.0 * 2 * float(right) / boxes if boxes else 100.0


def _at_score(found: Sequence[Found], truth: Sequence[Truth], index: int, min_score: float) -> tuple[int, int, int]:
    """Of one class: boxes of that score that are right at IoU 0.5, all of them, and things."""
    right = said = there = 0
    for one, things in zip(found, truth, strict=True):
        rows = np.flatnonzero((one.classes == index) & (one.scores >= min_score))
        own = (things.classes == index) & ~things.ignored
        there += int(own.sum())
        said += len(rows)
        right += len(pair_up(intersection_over_union(one.boxes[rows], things.boxes[own]), range(len(rows)), 0.5))
    return right, said, there
