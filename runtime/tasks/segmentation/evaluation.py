"""How good a segmenter is on pictures with masks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageFolder
from edgevision.data.mask_annotations import MaskedFolder, MaskKind
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.confusion_table import confusion_table
from edgevision.runtime.tasks.evaluation import QualityReport, measure_each, none_left, worst_pictures
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.tallies import ClassOrder, ClassTally, ThingTally, things_in

# A wider matrix does not fit a terminal; --json and --html have it.
_WIDEST_MATRIX = 16


@record
class SegmentedClass(Record):
    """One class, in percent: its intersection over union, precision and recall of its pixels, and their ``share``."""

    label: str
    iou: float | None = None
    precision: float | None = None
    recall: float | None = None
    share: float = 0.0


@record
class SegmentationReport(QualityReport):
    """Figures of the classes of pixels, in percent; what is of no class in the data is left out.

    ``miou`` is the mean over the classes that there are, each over all pictures; ``picture_iou`` and
    ``median_picture_iou`` are over the pictures, of each the mean over its classes but the background, which
    ``pictures`` has by name. ``confusion[i][j]`` counts the pixels of class i that were taken for j, in the last column
    for none.
    """

    miou: float
    pixel_accuracy: float
    picture_iou: float
    median_picture_iou: float
    classes: tuple[SegmentedClass, ...]
    confusion: tuple[tuple[int, ...], ...]
    pictures: Mapping[str, float] = field(default_factory=dict)

    def headline(self) -> str:
        """Mean intersection over union."""
        return f"mIoU {self.miou:.2f} %  pixel accuracy {self.pixel_accuracy:.2f} %"

    def table(self) -> str:
        """The figures, and a line for each class with what its pixels were taken for."""
        first = f"{self.headline()}  single pictures: mean IoU {self.picture_iou:.2f} %"
        lines = [f"{first}, median {self.median_picture_iou:.2f} %", ""]
        labels = [score.label for score in self.classes]
        width = max(len("class"), *map(len, labels))
        lines.append(f"{'class':<{width}}     IoU  precision  recall  pixels")
        for score in self.classes:
            cells = [f"{cell:.2f}" if cell is not None else "-" for cell in (score.iou, score.precision, score.recall)]
            lines.append(f"{score.label:<{width}}  {cells[0]:>6}  {cells[1]:>9}  {cells[2]:>6}  {score.share:4.1f} %")
        if len(labels) <= _WIDEST_MATRIX:
            shares = [[f"{100 * count / max(1, sum(counts)):.1f}" for count in counts] for counts in self.confusion]
            lines += ["", *confusion_table("taken for, %", labels, [*labels, "none"], shares), ""]
        return "\n".join([*lines, worst_pictures(self.pictures)])


@record
class ThingsReport(QualityReport):
    """Figures of things, in percent, whatever their class.

    ``matched50`` is TP / (TP + FP + FN) at an intersection over union of 0.5, the mean over ``pictures``; ``matched``
    is the mean over 0.50 to 0.95 (the figure of the Data Science Bowl 2018). ``map``, ``map50`` and ``map75`` are
    COCO's average precision of masks, with at most 100 things a picture. ``things`` is how many there are.
    """

    matched50: float
    matched: float
    map: float
    map50: float
    map75: float
    things: int
    found: int
    pictures: Mapping[str, float] = field(default_factory=dict)

    def headline(self) -> str:
        """The share of things that were matched."""
        return f"TP/(TP+FP+FN) at IoU 0.5 {self.matched50:.2f} %, at 0.50 to 0.95 {self.matched:.2f} %"

    def table(self) -> str:
        """All figures."""
        precision = f"mask mAP50-95 {self.map:.2f} %  mAP50 {self.map50:.2f} %  mAP75 {self.map75:.2f} %"
        counts = f"{self.things} things, {self.found} found"
        return "\n".join([self.headline(), precision, counts, worst_pictures(self.pictures)])


def evaluate_segmenter(
    segmenter: Segmenter, data: ImageFolder, *, quiet: bool = False
) -> SegmentationReport | ThingsReport:
    """Segment every picture of ``data`` that has a mask, and compare.

    Things are compared where the data have them and the model tells them apart, else the classes of pixels.

    Raises:
        DatasetError: no masks, classes that the model does not know, or not one readable picture.
    """
    masked = MaskedFolder(data)
    if masked.kind is MaskKind.THINGS and segmenter.tells_apart:
        return _evaluate_things(segmenter, masked, quiet=quiet)
    return _evaluate_classes(segmenter, masked, quiet=quiet)


def _evaluate_classes(segmenter: Segmenter, masked: MaskedFolder, *, quiet: bool) -> SegmentationReport:
    order = ClassOrder(segmenter.labels, segmenter.background, masked)
    tally = ClassTally(len(order.labels), order.background)

    def compared(name: str, found: Segmentation) -> tuple[Any, Any]:
        return order.expected(masked.class_map(name, found.size)), order.predicted(found)

    names, failures = _each_picture(segmenter, masked, compared, tally.add, quiet=quiet)
    rows, columns = tally.confusion.sum(axis=1), tally.confusion.sum(axis=0)
    right = np.diag(tally.confusion)
    classes = [
        SegmentedClass(
            label=label,
            iou=None if math.isnan(overlap) else 100 * float(overlap),
            precision=100 * float(right[index] / columns[index]) if columns[index] else None,
            recall=100 * float(right[index] / rows[index]) if rows[index] else None,
            share=100 * float(rows[index] / max(1, rows.sum())),
        )
        for index, (label, overlap) in enumerate(zip(order.labels, tally.overlaps, strict=True))
    ]
    each = {name: 100 * overlap for name, overlap in zip(names, tally.pictures, strict=True) if not math.isnan(overlap)}
    values = list(each.values()) or [0.0]
    return SegmentationReport(
        images=len(names),
        miou=100 * tally.mean_overlap,
        pixel_accuracy=100 * tally.accuracy,
        picture_iou=float(np.mean(values)),
        median_picture_iou=float(np.median(values)),
        classes=tuple(classes),
        confusion=tuple(tuple(int(count) for count in row) for row in tally.confusion),
        pictures=each,
        failures=failures,
    )


def _evaluate_things(segmenter: Segmenter, masked: MaskedFolder, *, quiet: bool) -> ThingsReport:
    tally = ThingTally()
    names, failures = _each_picture(
        segmenter,
        masked,
        lambda name, found: (found.masks, found.scores, things_in(masked, name, found.size)),
        tally.add,
        quiet=quiet,
    )
    precision = tally.average_precision()
    return ThingsReport(
        images=len(names),
        matched50=100 * tally.share_at_half,
        matched=100 * tally.mean_share,
        map=100 * precision.mean,
        map50=100 * precision.at(0.5),
        map75=100 * precision.at(0.75),
        things=sum(len(pairs.true_areas) for pairs in tally.pairs),
        found=sum(len(pairs.areas) for pairs in tally.pairs),
        pictures={name: 100 * share for name, share in zip(names, tally.pictures, strict=True)},
        failures=failures,
    )


def _each_picture(
    segmenter: Segmenter,
    masked: MaskedFolder,
    compared: Callable[[str, Segmentation], tuple[Any, ...]],
    add: Callable[..., None],
    *,
    quiet: bool,
) -> tuple[list[str], dict[str, str]]:
    """Add what is ``compared`` of each picture; the names of those that were, and what failed."""
    failures: dict[str, str] = {}
    places = {name: index for index, name in enumerate(masked.folder.names)}

    def work(name: str) -> tuple[Any, ...]:
        return compared(name, segmenter(masked.folder.image(places[name])))

    def failed(name: str, error: Exception) -> None:
        failures[name] = failure_message(name, error)

    names: list[str] = []
    for name, parts in measure_each(masked.names, work, failed, quiet=quiet):
        add(*parts)
        names.append(name)
    if not names:
        raise none_left(len(masked), failures)
    return names, failures
