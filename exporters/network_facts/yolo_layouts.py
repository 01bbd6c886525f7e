"""The heads of the YOLO family and of what came of it: cells of a few grids, each with a box or some."""

from collections.abc import Mapping

import numpy as np

from edgevision.exporters.network_facts.grids import (
    STRIDES,
    Recognise,
    cell_count,
    levels_of,
    map_groups,
    maps_by_stride,
    part_of,
    table_of_cells,
    unit_of,
)
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range
from edgevision.exporters.network_facts.suppressed_layouts import with_points
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    OutputPart,
    Scores,
    Unit,
)

_BINS = 16
_NANODET_BINS = 8

Anchors = tuple[tuple[tuple[float, float], ...], ...]
"""(width, height) in pixels of each, level by level."""

# As they were published.
_YOLO_ANCHORS: Mapping[str, Anchors] = {
    "yolov3": (
        ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
        ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
        ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
    ),
    "yolov3-tiny": (((10.0, 14.0), (23.0, 27.0), (37.0, 58.0)), ((81.0, 82.0), (135.0, 169.0), (344.0, 319.0))),
    "yolov7": (
        ((12.0, 16.0), (19.0, 36.0), (40.0, 28.0)),
        ((36.0, 75.0), (76.0, 55.0), (72.0, 146.0)),
        ((142.0, 110.0), (192.0, 243.0), (459.0, 401.0)),
    ),
}
# In cells of 32 pixels.
_YOLOV2_ANCHORS = {
    "voc": ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)),
    "tiny-voc": ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52)),
    "coco": ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828)),
}


def _are_of(sample: Sample, classes: int) -> bool:
    """Whether there may be so many classes."""
    return classes >= 1 and sample.labels in (0, classes)


def _are_decoded(rows: np.ndarray) -> bool:
    """Whether rows begin with centre and size of a box, and all else in them are scores."""
    return float(rows[:, 2:4].min()) >= 0 and in_unit_range(rows[:, 4:])


def _yolov8(sample: Sample) -> DetectionSpec | None:
    """Decoded centre boxes and class scores of each cell: YOLOv8, v9, v11, (1, 4 + classes, cells) or turned round."""
    table = table_of_cells(sample, 1)
    if table is None or not _are_of(sample, table.rows.shape[1] - 4) or not _are_decoded(table.rows):
        return None
    if table.arrangement is Arrangement.ROWS and bool((table.rows[:, 4] == 1).all()):  # the objectness of YOLOv6
        return None
    part = part_of(table.name, Field.BOX, Field.SCORES, arrangement=table.arrangement)
    return DetectionSpec(head=HeadSpec(parts=(part,), coding=BoxCoding.CENTER, unit=unit_of(table.rows[:, :4])))


def _yolov8_pose(sample: Sample) -> DetectionSpec | None:
    """As YOLOv8, and x, y, visibility of each point in pixels: (1, 4 + classes + 3 points, cells), of one class unless
    they are named."""
    table, classes = table_of_cells(sample, 1), max(1, sample.labels)
    points, left = divmod(table.rows.shape[1] - 4 - classes, 3) if table is not None else (0, 0)
    if table is None or points < 1 or left:
        return None
    if not in_unit_range(table.rows[:, 4 : 4 + classes]) or in_unit_range(table.rows[:, 4 + classes :]):
        return None
    head = HeadSpec(
        parts=(part_of(table.name, Field.BOX, Field.SCORES, Field.POINTS, arrangement=table.arrangement),),
        coding=BoxCoding.CENTER,
        points=points,
        point_width=3,
    )
    return with_points(DetectionSpec(head=head))


def _yolov8_raw(sample: Sample) -> DetectionSpec | None:
    """A map for each stride with 16 bins a side and class logits: YOLOv8 cut before its decoding."""
    return _distance_maps(sample, _BINS)


def _yolo_distances(sample: Sample) -> DetectionSpec | None:
    """A map for each stride with 4 distances in cells and class scores: kin of YOLOv8 without bins."""
    return _distance_maps(sample, 1)


def _distance_maps(sample: Sample, bins: int) -> DetectionSpec | None:
    names = maps_by_stride(sample, STRIDES)
    if names is None:
        return None
    channels = {sample.outputs[name].shape[1] for name in names}
    if len(channels) != 1 or not _are_of(sample, channels.pop() - 4 * bins):
        return None
    boxes = [sample.outputs[name][:, : 4 * bins] for name in names]
    scores = [sample.outputs[name][:, 4 * bins :] for name in names]
    if not _may_be_distances(boxes, bins):
        return None
    part = part_of(names, Field.BOX, Field.SCORES, arrangement=Arrangement.NCHW)
    return _of_distances(sample, (part,), bins, scores)


def _yolov8_split(sample: Sample) -> DetectionSpec | None:
    """For each stride a map of 64 bins or 4 distances and one of class scores: YOLOv8 as it is cut for NPUs."""
    groups = map_groups(sample, STRIDES, 2)
    if groups is None:
        return None
    for bins in (_BINS, 1):
        boxes = [[name for name in group if sample.outputs[name].shape[1] == 4 * bins] for group in groups]
        if not all(len(found) == 1 for found in boxes):
            continue
        names = tuple(found[0] for found in boxes)
        others = tuple(next(name for name in group if name not in names) for group in groups)
        classes = {sample.outputs[name].shape[1] for name in others}
        if len(classes) != 1 or not _are_of(sample, classes.pop()):
            return None
        if not _may_be_distances([sample.outputs[name] for name in names], bins):
            return None
        parts = (
            part_of(names, Field.BOX, arrangement=Arrangement.NCHW),
            part_of(others, Field.SCORES, arrangement=Arrangement.NCHW),
        )
        return _of_distances(sample, parts, bins, [sample.outputs[name] for name in others])
    return None


def _may_be_distances(boxes: list[np.ndarray], bins: int) -> bool:
    """Whether maps are logits of bins, which are of either sign, or else distances, which are not."""
    return (min(float(array.min()) for array in boxes) < 0) == (bins > 1)


def _of_distances(sample: Sample, parts: tuple[OutputPart, ...], bins: int, scores: list[np.ndarray]) -> DetectionSpec:
    logits = not all(in_unit_range(array) for array in scores)
    head = HeadSpec(
        parts=parts,
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        bins=bins,
        scores=Scores.SIGMOID if logits else Scores.NONE,
        levels=levels_of(STRIDES),
    )
    return DetectionSpec(head=head)


def _yolov5(sample: Sample) -> DetectionSpec | None:
    """Decoded centre boxes, objectness and class scores, three rows for each cell: (1, 3 cells, 5 + classes)."""
    table = table_of_cells(sample, 3)
    if table is None or not _are_of(sample, table.rows.shape[1] - 5) or not _are_decoded(table.rows):
        return None
    part = part_of(table.name, Field.BOX, Field.OBJECTNESS, Field.SCORES, arrangement=table.arrangement)
    return DetectionSpec(head=HeadSpec(parts=(part,), coding=BoxCoding.CENTER, unit=unit_of(table.rows[:, :4])))


def _yolov5_face(sample: Sample) -> DetectionSpec | None:
    """As YOLOv5 with one class and five points between objectness and score: YOLOv5-face, (1, 3 cells, 16)."""
    table = table_of_cells(sample, 3)
    if table is None or table.rows.shape[1] != 16 or sample.labels > 1 or in_unit_range(table.rows[:, 5:15]):
        return None
    if not in_unit_range(table.rows[:, [4, 15]]):
        return None
    fields = (Field.BOX, Field.OBJECTNESS, Field.POINTS, Field.SCORES)
    part = part_of(table.name, *fields, arrangement=table.arrangement)
    head = HeadSpec(parts=(part,), coding=BoxCoding.CENTER, unit=unit_of(table.rows[:, :4]), points=5)
    return with_points(DetectionSpec(head=head, labels=("face",)))


def _anchor_maps(
    anchors: Anchors, coding: BoxCoding, strides: tuple[int, ...] = STRIDES, activation: Scores = Scores.SIGMOID
) -> Recognise:
    """A recogniser of maps of these ``anchors``."""
    count = len(anchors[0])

    def recognise(sample: Sample) -> DetectionSpec | None:
        arrangement = Arrangement.NCHW
        names = maps_by_stride(sample, strides)
        if names is None:
            names, arrangement = maps_by_stride(sample, strides, count), Arrangement.ANCHORS
        if names is None:
            return None
        sides = {sample.outputs[each].shape[-1 if arrangement is Arrangement.ANCHORS else 1] for each in names}
        if len(sides) != 1:
            return None
        columns = sides.pop()
        if arrangement is Arrangement.NCHW:
            if columns % count:
                return None
            columns //= count
        if not _are_of(sample, columns - 5):
            return None
        head = HeadSpec(
            parts=(part_of(names, Field.BOX, Field.OBJECTNESS, Field.SCORES, arrangement=arrangement),),
            coding=coding,
            anchors_last=False,
            cell_offset=0.0,
            scores=activation,
            objectness=Scores.SIGMOID,
            levels=levels_of(strides, anchors),
        )
        return DetectionSpec(head=head)

    shapes = f"(1, {count} (5 + classes), h, w) or (1, {count}, h, w, 5 + classes)"
    recognise.__doc__ = f"A map for each stride of {count} anchors: {shapes}."
    return recognise


def _yolov2(name: str) -> Recognise:
    anchors = tuple((32 * width, 32 * height) for width, height in _YOLOV2_ANCHORS[name])
    return _anchor_maps((anchors,), BoxCoding.YOLO_EXP, (32,), Scores.SOFTMAX)


def _yolox(sample: Sample) -> DetectionSpec | None:
    """Coded boxes, objectness and class scores, one row for each cell: YOLOX, (1, cells, 5 + classes)."""
    table = table_of_cells(sample, 1)
    if table is None or table.rows.shape[0] != cell_count(sample, *STRIDES):
        return None
    if not _are_of(sample, table.rows.shape[1] - 5) or not in_unit_range(table.rows[:, 4:]):
        return None
    if table.arrangement is Arrangement.COLUMNS:  # as only YOLOv8 lies
        return None
    part = part_of(table.name, Field.BOX, Field.OBJECTNESS, Field.SCORES)
    # Decoded centres run over the whole input; coded ones stay within a few cells, and have sizes of either sign.
    boxes = table.rows[:, :4]
    if np.ptp(boxes[:, 0]) > 0.5 * sample.width or in_unit_range(boxes):
        return DetectionSpec(head=HeadSpec(parts=(part,), coding=BoxCoding.CENTER, unit=unit_of(boxes)))
    head = HeadSpec(parts=(part,), coding=BoxCoding.CELLS, cell_offset=0.0, levels=levels_of(STRIDES))
    return DetectionSpec(head=head)


def _nanodet_rows(strides: tuple[int, ...], cell_offset: float) -> Recognise:
    """A recogniser of NanoDet with these strides, whose boxes are relative to that place in a cell."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        if sample.only is None:
            return None
        name, array = sample.only
        classes = array.shape[-1] - 4 * _NANODET_BINS
        if array.ndim != 3 or array.shape[1] != cell_count(sample, *strides) or not _are_of(sample, classes):
            return None
        if not in_unit_range(array[0, :, :classes]) or in_unit_range(array[0, :, classes:]):
            return None
        return _nanodet_of((part_of(name, Field.SCORES, Field.BOX),), strides, cell_offset, Scores.NONE)

    recognise.__doc__ = (
        f"Class scores and 8 bins a side, one row for each cell of strides 8 to {strides[-1]}: NanoDet, (1, cells,"
        " classes + 32)."
    )
    return recognise


def _nanodet_split(sample: Sample) -> DetectionSpec | None:
    """Class scores (1, cells, classes) and 8 bins a side (1, cells, 32) for each stride, as NanoDet is cut for NPUs,
    and PicoDet with a fourth stride."""
    scores, boxes = [], []
    strides = STRIDES if len(sample.outputs) == 2 * len(STRIDES) else (*STRIDES, 64)
    for stride in strides:
        cells = cell_count(sample, stride)
        found = sample.of_shape(1, cells, None)
        distances = [name for name in found if sample.outputs[name].shape[2] == 4 * _NANODET_BINS]
        named = [name for name in distances if "dis" in name.lower() or "reg" in name.lower()]
        distances = named if len(distances) > 1 else distances
        if len(found) != 2 or len(distances) != 1:
            return None
        boxes += distances
        scores += [name for name in found if name not in distances]
    classes = {sample.outputs[name].shape[2] for name in scores}
    if len(sample.outputs) != 2 * len(strides) or len(classes) != 1 or not _are_of(sample, classes.pop()):
        return None
    logits = not all(in_unit_range(sample.outputs[name]) for name in scores)
    parts = (part_of(tuple(scores), Field.SCORES), part_of(tuple(boxes), Field.BOX))
    return _nanodet_of(parts, strides, 0.5, Scores.SIGMOID if logits else Scores.NONE)


def _nanodet_of(
    parts: tuple[OutputPart, ...], strides: tuple[int, ...], cell_offset: float, scores: Scores
) -> DetectionSpec:
    head = HeadSpec(
        parts=parts,
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        bins=_NANODET_BINS,
        cell_offset=cell_offset,
        scores=scores,
        levels=levels_of(strides),
    )
    return DetectionSpec(head=head, min_score=0.4, iou=0.6)


LAYOUTS: Mapping[str, Recognise] = {
    "yolov8": _yolov8,
    "yolov8-pose": _yolov8_pose,
    "yolov8-raw": _yolov8_raw,
    "yolov8-split": _yolov8_split,
    "yolo-distances": _yolo_distances,
    "yolov5": _yolov5,
    "yolov5-face": _yolov5_face,
    "yolov5-raw": _anchor_maps(_YOLO_ANCHORS["yolov3"], BoxCoding.YOLO_SQUARE),
    "yolov7-raw": _anchor_maps(_YOLO_ANCHORS["yolov7"], BoxCoding.YOLO_SQUARE),
    "yolov3-raw": _anchor_maps(_YOLO_ANCHORS["yolov3"], BoxCoding.YOLO_EXP),
    "yolov3-tiny-raw": _anchor_maps(_YOLO_ANCHORS["yolov3-tiny"], BoxCoding.YOLO_EXP, (16, 32)),
    "yolov2-voc": _yolov2("voc"),
    "yolov2-tiny-voc": _yolov2("tiny-voc"),
    "yolov2-coco": _yolov2("coco"),
    "yolox": _yolox,
    "nanodet": _nanodet_rows(STRIDES, 0.5),
    "nanodet-split": _nanodet_split,
    "nanodet-plus": _nanodet_rows((*STRIDES, 64), 0.0),
}
"""By name, as those of all detectors."""
