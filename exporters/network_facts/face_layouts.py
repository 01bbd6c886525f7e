"""The heads of face detectors, with their points."""

from collections.abc import Mapping
from typing import NamedTuple

from edgevision.exporters.network_facts.grids import STRIDES, Recognise, cell_count, levels_of, part_of
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range, sums_to_one
from edgevision.runtime.tasks.detection.spec import (
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    Merge,
    Scores,
    Unit,
)

_POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")

# Of RetinaFace and its small sisters: two squares a cell.
_RETINA_SIZES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
_SMALL_RETINA_SIZES = ((10.0, 20.0), (32.0, 64.0), (128.0, 256.0))


def _yunet(sample: Sample) -> DetectionSpec | None:
    """Class, objectness, box and five points of three strides, each an output of its own: OpenCV's YuNet."""
    groups = {}
    for word in ("cls", "obj", "bbox", "kps"):
        names = tuple(f"{word}_{stride}" for stride in STRIDES)
        if not set(names) <= set(sample.outputs):
            return None
        groups[word] = names
    head = HeadSpec(
        parts=(
            part_of(groups["cls"], Field.SCORES),
            part_of(groups["obj"], Field.OBJECTNESS),
            part_of(groups["bbox"], Field.BOX),
            part_of(groups["kps"], Field.POINTS),
        ),
        coding=BoxCoding.CELLS,
        cell_offset=0.0,
        geometric=True,
        points=5,
        levels=levels_of(STRIDES),
    )
    return DetectionSpec(head=head, min_score=0.6, iou=0.3, labels=("face",), point_names=_POINTS)


def _retina(sizes: tuple[tuple[float, ...], ...]) -> Recognise:
    """A recogniser of RetinaFace with squares of ``sizes``."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        """Boxes, two class scores and five points, two rows for each cell: (1, n, 4), (1, n, 2), (1, n, 10)."""
        rows = 2 * cell_count(sample, *STRIDES)
        names = [sample.of_shape(1, rows, columns) for columns in (4, 2, 10)]
        if len(sample.outputs) != 3 or not all(len(found) == 1 for found in names):
            return None
        boxes, scores, points = (found[0] for found in names)
        anchors = tuple(tuple((side, side) for side in own) for own in sizes)
        head = HeadSpec(
            parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES), part_of(points, Field.POINTS)),
            coding=BoxCoding.PRIORS,
            scores=Scores.NONE if sums_to_one(sample.outputs[scores]) else Scores.SOFTMAX,
            background=0,
            points=5,
            levels=levels_of(STRIDES, anchors),
        )
        return DetectionSpec(head=head, min_score=0.6, iou=0.4, labels=("face",), point_names=_POINTS)

    return recognise


class _Blaze(NamedTuple):
    """One of MediaPipe's detectors: the side of its input, its boxes a cell by stride, what it finds and its points."""

    side: int
    per_cell: tuple[tuple[int, int], ...]
    thing: str
    points: tuple[str, ...]

    @property
    def rows(self) -> int:
        return sum(count * (self.side // stride) ** 2 for stride, count in self.per_cell)


_BLAZE_POINTS = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")
_PALM_POINTS = ("wrist", "index", "middle", "ring", "little", "thumb base", "thumb")
_POSE_POINTS = ("hips", "whole body's reach", "shoulders", "upper body's reach")
_BLAZES = (
    _Blaze(128, ((8, 2), (16, 6)), "face", _BLAZE_POINTS),  # short range, front camera
    _Blaze(256, ((16, 2), (32, 6)), "face", _BLAZE_POINTS),  # back camera
    _Blaze(192, ((4, 1),), "face", _BLAZE_POINTS),  # full range
    _Blaze(192, ((8, 2), (16, 6)), "palm", _PALM_POINTS),
    _Blaze(224, ((8, 2), (16, 2), (32, 6)), "person", _POSE_POINTS),
)


def _blazeface(sample: Sample) -> DetectionSpec | None:
    """Box and points, and a logit, for each of 896 to 2304 rows: BlazeFace and MediaPipe's other detectors."""
    for kind in _BLAZES:
        numbers = sample.of_shape(1, kind.rows, 4 + 2 * len(kind.points))
        logits = sample.of_shape(1, kind.rows, 1)
        if (sample.height, sample.width, len(numbers), len(logits)) != (kind.side, kind.side, 1, 1):
            continue
        square = (float(kind.side),) * 2
        head = HeadSpec(
            parts=(part_of(numbers[0], Field.BOX, Field.POINTS), part_of(logits[0], Field.SCORES)),
            coding=BoxCoding.SHIFTS,
            scores=Scores.SIGMOID,
            points=len(kind.points),
            levels=tuple(Level(stride=stride, anchors=(square,) * count) for stride, count in kind.per_cell),
        )
        spec = DetectionSpec(head=head, min_score=0.75, iou=0.3, merge=Merge.BLEND, labels=(kind.thing,))
        return spec.updated(point_names=kind.points)
    return None


def _scrfd(sample: Sample) -> DetectionSpec | None:
    """Scores, distances and maybe five points of three strides, two rows for each cell: SCRFD of InsightFace."""
    fields = {1: Field.SCORES, 4: Field.BOX, 10: Field.POINTS}
    outputs: dict[Field, list[str]] = {}
    for columns, field in fields.items():
        for stride in STRIDES:
            rows = 2 * cell_count(sample, stride)
            found = sample.of_shape(rows, columns) + sample.of_shape(1, rows, columns)
            outputs.setdefault(field, []).extend(found)
    counts = [len(outputs[field]) for field in fields.values()]
    if counts not in ([3, 3, 3], [3, 3, 0]) or len(sample.outputs) != sum(counts):
        return None
    if not all(in_unit_range(sample.outputs[name]) for name in outputs[Field.SCORES]):
        return None
    points = 5 if counts[2] else 0
    head = HeadSpec(
        parts=tuple(part_of(tuple(names), field) for field, names in outputs.items() if names),
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        cell_offset=0.0,
        points=points,
        levels=levels_of(STRIDES, tuple(((float(stride),) * 2,) * 2 for stride in STRIDES)),
    )
    names = _POINTS if points else ()
    return DetectionSpec(head=head, min_score=0.5, iou=0.4, labels=("face",), point_names=names)


LAYOUTS: Mapping[str, Recognise] = {
    "yunet": _yunet,
    "scrfd": _scrfd,
    "retina": _retina(_RETINA_SIZES),
    "retina-small": _retina(_SMALL_RETINA_SIZES),
    "blazeface": _blazeface,
}
"""By name, as those of all detectors."""
