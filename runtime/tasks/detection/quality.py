"""How much worse a form of a detector is than the float model, through the pipeline that people run."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from edgevision.core.errors import DatasetError
from edgevision.data.box_annotations import annotations
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.imaging.pictures import Picture
from edgevision.metrics.average_precision import PrecisionOfPictures, Truth
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.evaluation import LEAST_SCORE, class_order, found_in, truth_of
from edgevision.runtime.tasks.detection.matching import matched_pairs
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.loss_bound import LossBound, jackknife_bound, ratio_bound
from edgevision.runtime.tasks.quality import Example, Quality, drawn_examples

# Of a detector that finds nothing any more, or so many times as much: it is broken, whatever a figure says.
_EXPLODED = 3
BROKEN = 100.0
"""The loss of such a detector, in points."""


class DetectionQuality:
    """mAP50-95 where there are boxes to compare with, in points; else how well both models' boxes agree.

    Without boxes the loss is what is missing to an F1 of 100 % between the boxes of both models at IoU 0.75: where
    neither finds anything there is none, and nothing is shown. ``notes`` say why it is that.
    """

    unit = "points"
    budget = 0.5

    def __init__(self, metadata: ModelMetadata, reference: Engine, data: ImageDataset) -> None:
        self._metadata, self._data = metadata, data
        self._reference = self._found(reference)
        self._truth, why = _truth(metadata, data, [one.size for one in self._reference])
        self.notes = (f"int8 is judged by how well its boxes agree with the float model's: {why}",) if why else ()
        self._labels = max(1, _class_count(metadata, self._truth))
        self.metric = "agreement" if self._truth is None else "map"
        self._least = metadata.spec_as(DetectionSpec).min_score

    def __call__(self, engine: Engine) -> Quality:
        found = self._found(engine)
        ours = [one.chosen(one.scores >= self._least) for one in found]
        theirs = [one.chosen(one.scores >= self._least) for one in self._reference]
        before, after = sum(map(len, theirs)), sum(map(len, ours))
        there = np.array([len(one) + len(other) for one, other in zip(ours, theirs, strict=True)])
        lost = there - 2 * np.array(_pair_counts(ours, theirs))
        agreement = 100.0 * (1 - float(lost.sum() / there.sum())) if there.any() else 100.0
        figures = {"agreement": agreement, "boxes": float(after)}
        bound: LossBound | None
        if self._truth is None:
            # A box that lies elsewhere is one more of either model.
            loss, unseen = 100.0 - agreement, 100 / max(1, before)
            bound = ratio_bound(100 * lost, there, unseen=unseen)
            # Where neither finds anything, a single box on another picture may be all that there is.
            bound = bound or LossBound(pictures=len(there), error=0.0, unseen=unseen)
        else:
            precision, reference = self._precision(found), self._reference_precision
            figures["map"] = 100 * precision.mean()
            loss = 100 * reference.mean() - figures["map"]
            things = sum(int((~one.ignored).sum()) for one in self._truth)
            bound = jackknife_bound(
                len(found), lambda out: 100 * (reference.mean(~out) - precision.mean(~out)), unseen=100 / things
            )
        if is_broken(before, after):
            loss, bound = max(loss, BROKEN), None
        return Quality(figures=figures, loss=loss, bound=bound)

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The first pictures with the boxes that are found in them."""
        detector = Detector(engine, self._metadata)

        def drawn(index: int) -> Picture:
            picture = self._data.image(index)
            return detector(picture).draw(picture)

        return drawn_examples(self._data, drawn)

    def _found(self, engine: Engine) -> list[Detections]:
        detector = Detector(engine, self._metadata, min_score=LEAST_SCORE)
        return [detector(self._data.image(index)) for index in range(len(self._data))]

    @cached_property
    def _reference_precision(self) -> PrecisionOfPictures:
        return self._precision(self._reference)

    def _precision(self, found: Sequence[Detections]) -> PrecisionOfPictures:
        assert self._truth is not None
        return PrecisionOfPictures([found_in(one) for one in found], self._truth, self._labels)


def is_broken(before: int, after: int) -> bool:
    """Whether a form that finds ``after`` boxes where the float model finds ``before`` is no detector any more."""
    return before > 0 and (after == 0 or after > _EXPLODED * before)


def _truth(
    metadata: ModelMetadata, data: ImageDataset, sizes: Sequence[tuple[int, int]]
) -> tuple[list[Truth] | None, str | None]:
    """What is in each picture, of those (height, width), where all are annotated; else why it is not known."""
    folder: ImageFolder | None = getattr(data, "folder", None)
    names: Sequence[str] = getattr(data, "names", ())
    if folder is None:
        return None, None
    try:
        annotated = annotations(folder)
        labels = class_order(metadata.spec_as(DetectionSpec).labels, annotated)
    except DatasetError as error:
        return None, str(error)
    without = sum(annotated.of(name) is None for name in names)
    things = [] if without else [annotated.inside(name, size) for name, size in zip(names, sizes, strict=True)]
    if not any((~one.ignored).any() for one in things):
        return None, f"{without} of {len(names)} pictures are not annotated" if without else "no picture has a box"
    return [truth_of(one, labels) for one in things], None


def _class_count(metadata: ModelMetadata, truth: Sequence[Truth] | None) -> int:
    named = len(metadata.spec_as(DetectionSpec).labels)
    return max([named, *(int(one.classes.max(initial=-1)) + 1 for one in truth or ())])


def _pair_counts(ours: Sequence[Detections], theirs: Sequence[Detections]) -> list[int]:
    """How many boxes of one class both have in each picture, at IoU 0.75."""
    return [len(matched_pairs(one, other, 0.75)) for one, other in zip(ours, theirs, strict=True)]
