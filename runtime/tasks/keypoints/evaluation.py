"""How good a finder of points is on pictures with points, looked at in the boxes that people drew."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.core.records import record
from edgevision.data.datasets import ImageFolder
from edgevision.data.point_annotations import PointAnnotations, PointedFolder, held_out_by
from edgevision.imaging.crops import jittered
from edgevision.metrics.average_precision import Pairs, average_precision_of
from edgevision.metrics.keypoint_errors import (
    default_sigmas,
    error_scale,
    keypoint_similarity,
    normalised_errors,
)
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport, measure_each, none_left
from edgevision.runtime.tasks.keypoints.finder import KeypointFinder
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.keypoints.schemes import BODY_SIGMAS
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec

_MOST = 20
"""Things in a picture that count, as COCO has it for keypoints."""
_CLOSE = 0.1
"""Of what errors are measured in: a point that is no farther away is right."""


@record
class KeypointReport(QualityReport):
    """Figures of a finder of points in percent.

    Attributes:
        things: how many things the figures are over.
        nme: the mean distance of a thing's visible points from the true ones, in what the model measures errors in,
            mean over things; ``nme_median`` the median over things.
        pck: how many points are no farther away than a tenth of that.
        ap, ap50, ap75: average precision by object keypoint similarity, as COCO defines it.
        scale: what errors are measured in, in words.
    """

    things: int
    nme: float
    nme_median: float
    pck: float
    ap: float
    ap50: float
    ap75: float
    scale: str = ""

    def headline(self) -> str:
        """The normalised mean error."""
        return f"NME {self.nme:.3f} %"

    def table(self) -> str:
        """All figures."""
        return (
            f"NME {self.nme:.3f} %  median {self.nme_median:.3f} %  of {self.scale}\n"
            f"PCK {self.pck:.2f} %  within {_CLOSE:g} of it\n"
            f"OKS-AP {self.ap:.2f} %  AP50 {self.ap50:.2f} %  AP75 {self.ap75:.2f} %\n"
            f"{self.things} thing{'s' * (self.things != 1)}, looked at in their own boxes"
        )


def evaluate_finder(finder: KeypointFinder, data: ImageFolder, options: EvaluationOptions) -> KeypointReport:
    """Find the points of every thing of ``data`` that has some, and compare.

    Raises:
        DatasetError: no points, another number of them, or not one readable picture.
    """
    spec = finder.metadata.spec_as(KeypointsSpec)
    pointed = pointed_for(spec, data)
    held_out = held_out_by(spec.groups)
    names = [name for name in pointed.names if not options.held_out or held_out(name)]
    places = {name: index for index, name in enumerate(data.names)}
    failures: dict[str, str] = {}

    def failed(name: str, error: Exception) -> None:
        failures[name] = failure_message(name, error)

    def find(name: str) -> Keypoints:
        things = pointed.things(name)
        return finder(data.image(places[name]), boxes=looked_at(name, things, options))

    found, truth = [], []
    for name, answer in measure_each(names, find, failed, quiet=options.quiet):
        found.append(answer)
        truth.append(pointed.things(name))
    if not found:
        raise none_left(len(names), failures)
    errors = errors_of(spec, found, truth)
    if not errors:
        raise DatasetError(f"{str(data.path)!r} has no thing with a visible point")
    means = np.array([own.mean() for own in errors])
    scores = average_precision_of([_pairs(spec, *pair) for pair in zip(found, truth, strict=True)], 1, most=_MOST)
    return KeypointReport(
        images=len(found),
        failures=failures,
        things=len(errors),
        nme=100 * float(means.mean()),
        nme_median=100 * float(np.median(means)),
        pck=100 * float((np.concatenate(errors) <= _CLOSE).mean()),
        ap=100 * scores.mean,
        ap50=100 * scores.at(0.5),
        ap75=100 * scores.at(0.75),
        scale=_scale_in_words(spec),
    )


def pointed_for(spec: KeypointsSpec, data: ImageFolder) -> PointedFolder:
    """The points of ``data``; :class:`DatasetError` where they are not as many as the model finds."""
    pointed = PointedFolder(data)
    assert spec.head is not None
    if pointed.count != spec.head.points:
        raise DatasetError(
            f"{str(data.path)!r} has {pointed.count} points a thing, and the model finds {spec.head.points}"
        )
    return pointed


def looked_at(name: str, things: PointAnnotations, options: EvaluationOptions) -> NDArray[np.float32]:
    """The boxes (N, 4) of the things that count, jittered as the options say, always alike for one name and seed."""
    boxes = things.boxes[things.counted]
    if not options.jitter:
        return boxes
    generator = np.random.default_rng((options.seed, *name.encode()))
    moved = [jittered((x1, y1, x2, y2), options.jitter, generator) for x1, y1, x2, y2 in boxes.tolist()]
    return np.array(moved, np.float32).reshape(-1, 4)


def errors_of(
    spec: KeypointsSpec, found: Sequence[Keypoints], truth: Sequence[PointAnnotations]
) -> list[NDArray[np.float64]]:
    """The normalised errors of each thing's visible points."""
    errors = []
    for answer, things in zip(found, truth, strict=True):
        for points, row in zip(answer.points.astype(float), things.counted, strict=True):
            true, seen, box = things.points[row].astype(float), things.visible[row], things.boxes[row].astype(float)
            scale = error_scale(true, seen, box, spec.scale_points)
            if scale > 0:
                errors.append(normalised_errors(points[:, :2], true, seen, scale))
    return errors


def _pairs(spec: KeypointsSpec, found: Keypoints, truth: PointAnnotations) -> Pairs:
    points = found.points[:, :, :2].astype(float)
    assert spec.head is not None
    sigmas = np.array(spec.sigmas or (BODY_SIGMAS if spec.head.points == 17 else default_sigmas(spec.head.points)))
    sides = np.ptp(points, axis=1)
    true = truth.points.astype(float)
    return Pairs(
        scores=found.scores.astype(float),
        classes=np.zeros(len(found), np.int64),
        areas=sides[:, 0] * sides[:, 1],
        true_classes=np.zeros(len(truth.areas), np.int64),
        true_areas=truth.areas,
        ignored=truth.ignored,
        overlap=keypoint_similarity(points, true, truth.visible, truth.boxes.astype(float), truth.areas, sigmas),
        crowd=truth.crowd,
    )


def _scale_in_words(spec: KeypointsSpec) -> str:
    if spec.scale_points is None:
        return "the square root of the box's area"
    one, other = (spec.point_names[index] if spec.point_names else f"point {index}" for index in spec.scale_points)
    return f"the distance from {one} to {other}"
