"""The heads of networks that give boxes with masks: coefficients in each row, and prototypes (YOLACT and its kin)."""

from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from edgevision.exporters.network_facts.grids import STRIDES, are_corners, are_indices, cell_count, unit_of
from edgevision.exporters.network_facts.head_layouts import (
    Sample,
    in_unit_range,
    is_named,
    maps_over_input,
    sums_to_one,
)
from edgevision.exporters.network_facts.suppressed_layouts import MOST_ROWS
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
)
from edgevision.runtime.tasks.segmentation.spec import Channels, MapField, MapPart, SegmentationHead, SegmentationSpec

_YOLACT_STRIDES = (*STRIDES, 64, 128)
# Of the finest level, for an input of 550 pixels; the next ones are twice as large each.
_YOLACT_SQUARE, _YOLACT_SIDE = 24, 550


def _boxed(fields: tuple[Field, ...], per_cell: int) -> Callable[[Sample], SegmentationSpec | None]:
    """A recogniser of decoded boxes whose last numbers are coefficients of the prototypes in the other output."""

    def recognise(sample: Sample) -> SegmentationSpec | None:
        prototypes = [name for name, array in sample.outputs.items() if array.ndim == 4 and array.shape[0] == 1]
        tables = [name for name, array in sample.outputs.items() if array.ndim == 3 and array.shape[0] == 1]
        if len(sample.outputs) != 2 or len(prototypes) != 1 or len(tables) != 1:
            return None
        count = sample.outputs[prototypes[0]].shape[1]
        rows = per_cell * cell_count(sample, *STRIDES)
        table, prototype = sample.outputs[tables[0]][0], sample.outputs[prototypes[0]]
        if rows not in table.shape or maps_over_input(sample, prototype, Channels.FIRST, count) is None:
            return None
        arrangement = Arrangement.ROWS if table.shape[0] == rows else Arrangement.COLUMNS
        table = table if arrangement is Arrangement.ROWS else table.T
        classes = table.shape[1] - (5 if Field.OBJECTNESS in fields else 4) - count
        if classes < 1 or (sample.labels and sample.labels != classes) or not in_unit_range(table[:, 4:-count]):
            return None
        part = OutputPart(outputs=(tables[0],), fields=fields, arrangement=arrangement)
        unit = unit_of(table[:, :4])
        head = HeadSpec(parts=(part,), coding=BoxCoding.CENTER, unit=unit, coefficients=count)
        masks = MapPart(output=prototypes[0], fields=(MapField.PROTOTYPES,))
        return SegmentationSpec(head=SegmentationHead(maps=(masks,), boxes=DetectionSpec(head=head)))

    numbers = "box, objectness, classes, coefficients" if Field.OBJECTNESS in fields else "box, classes, coefficients"
    recognise.__doc__ = f"Decoded rows of {numbers}, and prototypes (1, coefficients, h, w)."
    return recognise


def _end_to_end(sample: Sample) -> SegmentationSpec | None:
    """A list of x1, y1, x2, y2, score, class, coefficients with NMS done (1, n, 6 + coefficients), and prototypes:
    YOLO26, Ultralytics' nms=True."""
    prototypes = [name for name, array in sample.outputs.items() if array.ndim == 4 and array.shape[0] == 1]
    tables = sample.of_shape(1, None, None)
    if len(sample.outputs) != 2 or len(prototypes) != 1 or len(tables) != 1:
        return None
    prototype, rows = sample.outputs[prototypes[0]], sample.outputs[tables[0]][0]
    count = prototype.shape[1]
    if rows.shape[1] != 6 + count or len(rows) > MOST_ROWS or not are_indices(rows[:, 5]):
        return None
    if not in_unit_range(rows[:, 4]) or maps_over_input(sample, prototype, Channels.FIRST, count) is None:
        return None
    part = OutputPart(outputs=(tables[0],), fields=(Field.BOX, Field.SCORE, Field.CLASS, Field.COEFFICIENTS))
    head = HeadSpec(parts=(part,), unit=unit_of(rows[:, :4]), coefficients=count)
    masks = MapPart(output=prototypes[0], fields=(MapField.PROTOTYPES,))
    return SegmentationSpec(head=SegmentationHead(maps=(masks,), boxes=DetectionSpec(head=head, iou=None)))


def _split_boxed(sample: Sample) -> SegmentationSpec | None:
    """Decoded corners (1, n, 4), scores (1, n, classes), coefficients (1, n, k) and prototypes, an output each."""
    outputs = _outputs_of_boxed(sample)
    if outputs is None or not in_unit_range(sample.outputs[outputs.scores]):
        return None
    corners = sample.outputs[outputs.boxes][0]
    if not are_corners(corners):
        return None
    return _of_split_boxes(sample, outputs, coding=BoxCoding.CORNERS, unit=unit_of(corners))


def _yolact(sample: Sample) -> SegmentationSpec | None:
    """The same with boxes relative to three squares a cell of strides 8 to 128: YOLACT, before its decoding."""
    outputs = _outputs_of_boxed(sample)
    if outputs is None or are_corners(sample.outputs[outputs.boxes][0]):
        return None
    if sample.outputs[outputs.boxes].shape[1] != 3 * cell_count(sample, *_YOLACT_STRIDES):
        return None
    # As published every ratio of sides is a square, of another size.
    least = _YOLACT_SQUARE * max(sample.height, sample.width) / _YOLACT_SIDE
    levels = tuple(
        Level(stride=stride, anchors=tuple((least * 2**level * ratio**0.5,) * 2 for ratio in (1, 0.5, 2)))
        for level, stride in enumerate(_YOLACT_STRIDES)
    )
    return _of_split_boxes(sample, outputs, coding=BoxCoding.PRIORS, levels=levels, even_cells=True)


class _BoxedOutputs(NamedTuple):
    """The names of the outputs of a network that gives boxes with masks."""

    boxes: str
    scores: str
    coefficients: str
    prototypes: str
    channels: Channels


def _outputs_of_boxed(sample: Sample) -> _BoxedOutputs | None:
    """By their shapes, and scores and coefficients, which have none of their own, by what the prototypes are."""
    maps = [name for name, array in sample.outputs.items() if array.ndim == 4 and array.shape[0] == 1]
    tables = [name for name, array in sample.outputs.items() if array.ndim == 3 and array.shape[0] == 1]
    others = [name for name in sample.outputs if name not in (*maps, *tables) and "prior" not in name.lower()]
    tables = [name for name in tables if "prior" not in name.lower()]
    if len(maps) != 1 or len(tables) != 3 or others:
        return None
    if len({sample.outputs[name].shape[1] for name in tables}) != 1:
        return None
    found = []
    for channels in Channels:
        prototypes = sample.outputs[maps[0]]
        count = prototypes.shape[1 if channels is Channels.FIRST else 3]
        if maps_over_input(sample, prototypes, channels, count) is None:
            continue
        for boxes, scores, coefficients in permutations(tables):
            widths = [sample.outputs[name].shape[2] for name in (boxes, scores, coefficients)]
            if widths[0] == 4 and widths[2] == count:
                found.append(_BoxedOutputs(boxes, scores, coefficients, maps[0], channels))
    # Of four classes, or as many as prototypes, only names can tell.
    named = [one for one in found if is_named(one.boxes, "box", "loc") and not is_named(one.scores, "coef", "mask")]
    return found[0] if len(found) == 1 else named[0] if len(named) == 1 else None


def _of_split_boxes(sample: Sample, outputs: _BoxedOutputs, **head: Any) -> SegmentationSpec | None:
    scores, coefficients = sample.outputs[outputs.scores], sample.outputs[outputs.coefficients]
    columns = scores.shape[2]
    relative = head["coding"] is BoxCoding.PRIORS
    background = 0 if relative or (columns > 1 and sums_to_one(scores) and sample.labels != columns) else None
    if sample.labels and sample.labels != columns - (background is not None):
        return None
    parts = (
        OutputPart(outputs=(outputs.boxes,), fields=(Field.BOX,)),
        OutputPart(outputs=(outputs.scores,), fields=(Field.SCORES,)),
        OutputPart(outputs=(outputs.coefficients,), fields=(Field.COEFFICIENTS,)),
    )
    activation = Scores.NONE if in_unit_range(scores) else Scores.SOFTMAX
    # A tangent that the graph has leaves nothing beyond 1.
    tanh = bool(np.abs(coefficients).max() > 1 + 1e-3) and relative
    boxes = HeadSpec(
        parts=parts,
        scores=activation,
        background=background,
        coefficients=coefficients.shape[2],
        coefficient_tanh=tanh,
        **head,
    )
    masks = MapPart(output=outputs.prototypes, fields=(MapField.PROTOTYPES,), channels=outputs.channels)
    spec = DetectionSpec(head=boxes, min_score=0.3, iou=0.5)
    return SegmentationSpec(head=SegmentationHead(maps=(masks,), boxes=spec))


LAYOUTS: Mapping[str, Callable[[Sample], SegmentationSpec | None]] = {
    "yolov8-seg": _boxed((Field.BOX, Field.SCORES, Field.COEFFICIENTS), 1),
    "yolov5-seg": _boxed((Field.BOX, Field.OBJECTNESS, Field.SCORES, Field.COEFFICIENTS), 3),
    "end-to-end-seg": _end_to_end,
    "decoded-seg": _split_boxed,
    "yolact": _yolact,
}
"""By name, as those of all segmentation networks."""
