"""How good a detector is on pictures with boxes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.box_annotations import AnnotatedFolder, BoxAnnotations
from edgevision.data.datasets import ImageFolder
from edgevision.metrics.average_precision import AveragePrecision, Found, Truth, average_precision
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.matching import pair_up
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.evaluation import QualityReport, none_left

# Curves need what is found with next to no score.
LEAST_SCORE = 0.01


@record
class DetectedClass(Record):
    """One class: how many things there are, average precision, and precision and recall at the model's own score.

    All figures are in percent; ``None`` where there is nothing to be found.
    """

    label: str
    things: int
    ap: float | None = None
    ap50: float | None = None
    precision: float | None = None
    recall: float | None = None


@record
class DetectionReport(QualityReport):
    """Figures of a detector in percent, as COCO defines them; ``None`` where there is nothing of that size.

    ``map`` is the mean over IoU 0.50 to 0.95. ``min_score`` is that of ``precision`` and ``recall`` of the classes.
    """

    map: float
    map50: float
    map75: float
    map_small: float | None = None
    map_medium: float | None = None
    map_large: float | None = None
    min_score: float = 0.0
    classes: tuple[DetectedClass, ...] = ()

    def headline(self) -> str:
        """Mean average precision."""
        return f"mAP50-95 {self.map:.2f} %  mAP50 {self.map50:.2f} %"

    def table(self) -> str:
        """The figures, and a line for each class."""
        sizes = (("small", self.map_small), ("medium", self.map_medium), ("large", self.map_large))
        first = f"mAP50-95 {self.map:.2f} %  mAP50 {self.map50:.2f} %  mAP75 {self.map75:.2f} %"
        first += "".join(f"  {name} {value:.2f} %" for name, value in sizes if value is not None)
        width = max(len("class"), *(len(score.label) for score in self.classes))
        lines = [first, "", f"{'class':<{width}}  AP50-95    AP50  precision  recall  things"]
        for score in self.classes:
            cells = (score.ap, score.ap50, score.precision, score.recall)
            numbers = [f"{value:.2f}" if value is not None else "-" for value in cells]
            lines.append(
                f"{score.label:<{width}}  {numbers[0]:>7}  {numbers[1]:>6}  {numbers[2]:>9}  {numbers[3]:>6}"
                f"  {score.things:6d}"
            )
        lines.append(f"precision and recall with a score of at least {self.min_score:g}, at IoU 0.5")
        return "\n".join(lines)


def evaluate_detector(detector: Detector, data: ImageFolder, *, quiet: bool = False) -> DetectionReport:
    """Find things in every picture of ``data`` that has boxes, and compare.

    Raises:
        DatasetError: no boxes, classes that the model does not know, or not one readable picture.
    """
    annotated = AnnotatedFolder(data)
    labels = class_order(detector.labels, annotated)
    wanted = [index for index, name in enumerate(data.names) if annotated.of(name) is not None]
    failures: dict[str, str] = {}

    def failed(index: int, error: Exception) -> None:
        failures[data.names[index]] = failure_message(data.names[index], error)

    own, detector.min_score = detector.min_score, min(detector.min_score, LEAST_SCORE)
    found, truth = [], []
    try:
        order = track(wanted, len(wanted), "evaluating", quiet=quiet)
        for index, answer in each_done(order, lambda index: detector(data.image(index)), failed):
            things = annotated.of(data.names[index])
            assert things is not None
            found.append(answer)
            truth.append(truth_of(things, labels))
    finally:
        detector.min_score = own
    if not found:
        raise none_left(len(wanted), failures)
    scores = average_precision([found_in(one) for one in found], truth, len(labels))
    return _report(scores, found, truth, labels, own, failures)


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
    scores: AveragePrecision,
    found: Sequence[Detections],
    truth: Sequence[Truth],
    labels: Sequence[str],
    min_score: float,
    failures: dict[str, str],
) -> DetectionReport:
    counts = np.array([[int((one.classes == index).sum()) for index in range(len(labels))] for one in truth]).sum(0)
    classes = []
    for index, label in enumerate(labels):
        precision, recall = _at_score(found, truth, index, min_score)
        ap = scores.by_class[:, index]
        known = not np.isnan(ap).any()
        classes.append(
            DetectedClass(
                label=label,
                things=int(counts[index]),
                ap=100 * float(ap.mean()) if known else None,
                ap50=100 * float(ap[0]) if known else None,
                precision=precision,
                recall=recall,
            )
        )
    sizes = {name: None if np.isnan(value) else 100 * value for name, value in scores.sizes.items()}
    return DetectionReport(
        images=len(found),
        map=100 * scores.mean,
        map50=100 * scores.at(0.5),
        map75=100 * scores.at(0.75),
        min_score=min_score,
        classes=tuple(classes),
        failures=failures,
        map_small=sizes["small"],
        map_medium=sizes["medium"],
        map_large=sizes["large"],
    )


def _at_score(
    found: Sequence[Detections], truth: Sequence[Truth], index: int, min_score: float
) -> tuple[float | None, float | None]:
    """Precision and recall of one class in percent, of boxes of that score at IoU 0.5."""
    right = said = there = 0
    for one, things in zip(found, truth, strict=True):
        rows = np.flatnonzero((one.classes == index) & (one.scores >= min_score))
        own = (things.classes == index) & ~things.ignored
        there += int(own.sum())
        said += len(rows)
        right += _hits(one.boxes[rows], things.boxes[own])
    return (100 * right / said if said else None), (100 * right / there if there else None)


def _hits(boxes: NDArray[np.float32], things: NDArray[np.float64]) -> int:
    if not len(boxes) or not len(things):
        return 0
    overlap = intersection_over_union(boxes, things.astype(np.float32))
    return len(pair_up(overlap, range(len(boxes)), 0.5))
