"""The heads of detectors that people export, told by their outputs' names, shapes and values."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range, sums_to_one
from edgevision.runtime.tasks.detection.rows import grid_size
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    Merge,
    OutputPart,
    Scores,
    Unit,
)

Array = NDArray[np.float32]

STRIDES = (8, 16, 32)
# Of RetinaFace and its small sisters: two squares a cell.
_FACE_SIZES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
_SMALL_FACE_SIZES = ((10.0, 20.0), (32.0, 64.0), (128.0, 256.0))
# The anchors that YOLOv5 and YOLOv7 were published with, (width, height) in pixels.
_YOLO_ANCHORS = {
    "yolov3": (
        ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
        ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
        ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
    ),
    "yolov7": (
        ((12.0, 16.0), (19.0, 36.0), (40.0, 28.0)),
        ((36.0, 75.0), (76.0, 55.0), (72.0, 146.0)),
        ((142.0, 110.0), (192.0, 243.0), (459.0, 401.0)),
    ),
}
_YOLO_ANCHORS["yolov5"] = _YOLO_ANCHORS["yolov3"]


Recognise = Callable[[Sample], DetectionSpec | None]


def _levels(strides: tuple[int, ...], anchors: tuple[tuple[tuple[float, float], ...], ...] = ()) -> tuple[Level, ...]:
    if not anchors:
        return tuple(Level(stride=stride) for stride in strides)
    return tuple(Level(stride=stride, anchors=own) for stride, own in zip(strides, anchors, strict=True))


def _part(outputs: str | tuple[str, ...], *fields: Field, arrangement: Arrangement = Arrangement.ROWS) -> OutputPart:
    names = (outputs,) if isinstance(outputs, str) else outputs
    return OutputPart(outputs=names, fields=fields, arrangement=arrangement)


def _tensorflow(sample: Sample) -> DetectionSpec | None:
    """TensorFlow's postprocessing: boxes, classes, scores, and how many of them count."""
    found = [sample.named("detection", word) for word in ("boxes", "scores", "classes")]
    counts = sample.named("num", "detections")
    if not all(len(names) == 1 for names in (*found, counts)):
        return None
    boxes, scores, classes = (names[0] for names in found)
    parts = (
        _part(boxes, Field.BOX),
        _part(scores, Field.SCORE),
        _part(classes, Field.CLASS),
        _part(counts[0], Field.COUNT),
    )
    return DetectionSpec(head=HeadSpec(parts=parts, coding=BoxCoding.YX_CORNERS, unit=Unit.INPUT), iou=None)


def _efficient_nms(sample: Sample) -> DetectionSpec | None:
    """What TensorRT's EfficientNMS plugin and its imitations give."""
    names = [sample.named(word) for word in ("det_boxes", "det_scores", "det_classes", "num_dets")]
    if not all(len(found) == 1 for found in names):
        return None
    boxes, scores, classes, count = (found[0] for found in names)
    parts = (
        _part(boxes, Field.BOX),
        _part(scores, Field.SCORE),
        _part(classes, Field.CLASS),
        _part(count, Field.COUNT),
    )
    return DetectionSpec(head=HeadSpec(parts=parts), iou=None)


def _end_to_end(sample: Sample) -> DetectionSpec | None:
    """A list of x1, y1, x2, y2, score, class with NMS done: YOLOv10, Ultralytics' nms=True, (1, 300, 6)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[2] != 6 or array.shape[1] > 1000 or not _is_class(array[0, :, 5]):
        return None
    head = HeadSpec(parts=(_part(name, Field.BOX, Field.SCORE, Field.CLASS),))
    return DetectionSpec(head=head, iou=None)


def _yolov7_end_to_end(sample: Sample) -> DetectionSpec | None:
    """Rows of batch index, x1, y1, x2, y2, class, score: YOLOv7's export with NMS, (n, 7)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 2 or array.shape[1] != 7:
        return None
    head = HeadSpec(parts=(_part(name, Field.SKIP, Field.BOX, Field.CLASS, Field.SCORE),))
    return DetectionSpec(head=head, iou=None)


def _yolov8(sample: Sample) -> DetectionSpec | None:
    """Decoded centre boxes and class scores, a column for each cell: YOLOv8, v9, v11, (1, 4 + classes, cells)."""
    if sample.only is None:
        return None
    name, array = sample.only
    cells = cell_count(sample, *STRIDES)
    if array.ndim != 3 or array.shape[2] != cells or array.shape[1] == cells:
        return None
    classes = array.shape[1] - 4
    if classes < 1 or (sample.labels and sample.labels != classes) or not in_unit_range(array[0, 4:]):
        return None
    head = HeadSpec(
        parts=(_part(name, Field.BOX, Field.SCORES, arrangement=Arrangement.COLUMNS),), coding=BoxCoding.CENTER
    )
    return DetectionSpec(head=head)


def _yolov8_pose(sample: Sample) -> DetectionSpec | None:
    """As YOLOv8 with one class, and x, y, visibility of each point in pixels: (1, 5 + 3 points, cells)."""
    if sample.only is None or sample.labels > 1:
        return None
    name, array = sample.only
    cells = cell_count(sample, *STRIDES)
    if array.ndim != 3 or array.shape[2] != cells or array.shape[1] < 8 or (array.shape[1] - 5) % 3:
        return None
    if not in_unit_range(array[0, 4]) or in_unit_range(array[0, 5:]):
        return None
    head = HeadSpec(
        parts=(_part(name, Field.BOX, Field.SCORE, Field.POINTS, arrangement=Arrangement.COLUMNS),),
        coding=BoxCoding.CENTER,
        points=(array.shape[1] - 5) // 3,
        point_width=3,
    )
    return DetectionSpec(head=head)


def _yolov8_raw(sample: Sample) -> DetectionSpec | None:
    """A map for each stride with 16 bins a side and class logits: YOLOv8 cut before its decoding."""
    names = _maps_by_stride(sample, STRIDES)
    if names is None:
        return None
    channels = {sample.outputs[name].shape[1] for name in names}
    if len(channels) != 1 or (classes := channels.pop() - 64) < 1 or (sample.labels and classes != sample.labels):
        return None
    head = HeadSpec(
        parts=(_part(names, Field.BOX, Field.SCORES, arrangement=Arrangement.NCHW),),
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        bins=16,
        scores=Scores.SIGMOID,
        levels=_levels(STRIDES),
    )
    return DetectionSpec(head=head)


def _yolov5(sample: Sample) -> DetectionSpec | None:
    """Decoded centre boxes, objectness and class scores, three rows for each cell: (1, 3 cells, 5 + classes)."""
    if sample.only is None:
        return None
    name, array = sample.only
    classes = array.shape[-1] - 5
    if array.ndim != 3 or array.shape[1] != 3 * cell_count(sample, *STRIDES) or classes < 1:
        return None
    if (sample.labels and sample.labels != classes) or not in_unit_range(array[0, :, 4:]):
        return None
    head = HeadSpec(parts=(_part(name, Field.BOX, Field.OBJECTNESS, Field.SCORES),), coding=BoxCoding.CENTER)
    return DetectionSpec(head=head)


def _yolo_maps(name: str, coding: BoxCoding) -> Recognise:
    """A recogniser of maps of three anchors a cell, whose anchors are those of ``name``."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        """A map for each stride of 3 anchors: (1, 3 (5 + classes), h, w) or (1, 3, h, w, 5 + classes)."""
        arrangement = Arrangement.NCHW
        names = _maps_by_stride(sample, STRIDES)
        if names is None:
            names, arrangement = _anchor_maps_by_stride(sample, STRIDES), Arrangement.ANCHORS
        if names is None:
            return None
        sides = {sample.outputs[each].shape[-1 if arrangement is Arrangement.ANCHORS else 1] for each in names}
        if len(sides) != 1:
            return None
        columns = sides.pop()
        if arrangement is Arrangement.NCHW:
            if columns % 3:
                return None
            columns //= 3
        if columns < 6 or (sample.labels and sample.labels != columns - 5):
            return None
        head = HeadSpec(
            parts=(_part(names, Field.BOX, Field.OBJECTNESS, Field.SCORES, arrangement=arrangement),),
            coding=coding,
            anchors_last=False,
            cell_offset=0.0,
            scores=Scores.SIGMOID,
            objectness=Scores.SIGMOID,
            levels=_levels(STRIDES, _YOLO_ANCHORS[name]),
        )
        return DetectionSpec(head=head)

    return recognise


def _yolox(sample: Sample) -> DetectionSpec | None:
    """Coded boxes, objectness and class scores, one row for each cell: YOLOX, (1, cells, 5 + classes)."""
    if sample.only is None:
        return None
    name, array = sample.only
    classes = array.shape[-1] - 5
    if array.ndim != 3 or array.shape[1] != cell_count(sample, *STRIDES) or classes < 1:
        return None
    if (sample.labels and sample.labels != classes) or not in_unit_range(array[0, :, 4:]):
        return None
    fields = (Field.BOX, Field.OBJECTNESS, Field.SCORES)
    # Decoded centres run over the whole input; coded ones stay within a few cells.
    if np.ptp(array[0, :, 0]) > 0.5 * sample.width:
        return DetectionSpec(head=HeadSpec(parts=(_part(name, *fields),), coding=BoxCoding.CENTER))
    head = HeadSpec(parts=(_part(name, *fields),), coding=BoxCoding.CELLS, cell_offset=0.0, levels=_levels(STRIDES))
    return DetectionSpec(head=head)


def _nanodet(sample: Sample) -> DetectionSpec | None:
    """Class scores and 8 bins a side, one row for each cell of four strides: NanoDet-Plus, (1, cells, classes + 32)."""
    if sample.only is None:
        return None
    name, array = sample.only
    strides = (*STRIDES, 64)
    classes = array.shape[-1] - 32
    if array.ndim != 3 or array.shape[1] != cell_count(sample, *strides) or classes < 1:
        return None
    if (sample.labels and sample.labels != classes) or not in_unit_range(array[0, :, :classes]):
        return None
    head = HeadSpec(
        parts=(_part(name, Field.SCORES, Field.BOX),),
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        bins=8,
        cell_offset=0.0,
        levels=_levels(strides),
    )
    return DetectionSpec(head=head, min_score=0.4, iou=0.6)


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
            _part(groups["cls"], Field.SCORES),
            _part(groups["obj"], Field.OBJECTNESS),
            _part(groups["bbox"], Field.BOX),
            _part(groups["kps"], Field.POINTS),
        ),
        coding=BoxCoding.CELLS,
        cell_offset=0.0,
        geometric=True,
        points=5,
        levels=_levels(STRIDES),
    )
    return DetectionSpec(head=head, min_score=0.6, iou=0.3, labels=("face",), point_names=_FACE_POINTS)


_FACE_POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


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
            parts=(_part(boxes, Field.BOX), _part(scores, Field.SCORES), _part(points, Field.POINTS)),
            coding=BoxCoding.PRIORS,
            scores=Scores.NONE if sums_to_one(sample.outputs[scores]) else Scores.SOFTMAX,
            background=0,
            points=5,
            levels=_levels(STRIDES, anchors),
        )
        return DetectionSpec(head=head, min_score=0.6, iou=0.4, labels=("face",), point_names=_FACE_POINTS)

    return recognise


def _blazeface(sample: Sample) -> DetectionSpec | None:
    """16 numbers and a logit for each of 896 rows: BlazeFace of MediaPipe's front camera, (1, 896, 16), (1, 896, 1)."""
    numbers, logits = sample.of_shape(1, 896, 16), sample.of_shape(1, 896, 1)
    if (sample.height, sample.width, len(numbers), len(logits)) != (128, 128, 1, 1):
        return None
    square = (128.0, 128.0)
    head = HeadSpec(
        parts=(_part(numbers[0], Field.BOX, Field.POINTS), _part(logits[0], Field.SCORES)),
        coding=BoxCoding.SHIFTS,
        scores=Scores.SIGMOID,
        points=6,
        levels=(Level(stride=8, anchors=(square,) * 2), Level(stride=16, anchors=(square,) * 6)),
    )
    names = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")
    return DetectionSpec(head=head, min_score=0.75, iou=0.3, merge=Merge.BLEND, labels=("face",), point_names=names)


def _centernet(sample: Sample) -> DetectionSpec | None:
    """A heat map for each class, sizes and offsets at a quarter of the input: CenterNet."""
    rows, columns = grid_size(Level(stride=4), sample.height, sample.width)
    pairs = sample.of_shape(1, 2, rows, columns)
    heat = [name for name in sample.of_shape(1, None, rows, columns) if name not in pairs]
    sizes = [name for name in pairs if "wh" in name.lower() or "size" in name.lower()]
    offsets = [name for name in pairs if "reg" in name.lower() or "off" in name.lower()]
    if not (len(heat) == len(sizes) == len(offsets) == 1):
        return None
    head = HeadSpec(
        parts=(
            _part(heat[0], Field.SCORES, arrangement=Arrangement.NCHW),
            _part(sizes[0], Field.SIZE, arrangement=Arrangement.NCHW),
            _part(offsets[0], Field.OFFSET, arrangement=Arrangement.NCHW),
        ),
        coding=BoxCoding.CENTERS,
        unit=Unit.STRIDES,
        cell_offset=0.0,
        peaks=True,
        scores=Scores.NONE if in_unit_range(sample.outputs[heat[0]]) else Scores.SIGMOID,
        levels=_levels((4,)),
    )
    return DetectionSpec(head=head, iou=None, most=100)


def _detr(sample: Sample) -> DetectionSpec | None:
    """Centre boxes of 0..1 and class logits with "nothing" last, for each of some hundred queries: DETR."""
    pair = _boxes_and_scores(sample)
    if pair is None:
        return None
    boxes, scores = pair
    array, logits = sample.outputs[boxes], sample.outputs[scores]
    if array.shape[1] > 1000 or not in_unit_range(array) or in_unit_range(logits) or logits.shape[2] < 2:
        return None
    focal = sample.labels == logits.shape[2]  # Deformable DETR and its kin have no "nothing"
    head = HeadSpec(
        parts=(_part(boxes, Field.BOX), _part(scores, Field.SCORES)),
        coding=BoxCoding.CENTER,
        unit=Unit.INPUT,
        scores=Scores.SIGMOID if focal else Scores.SOFTMAX,
        background=None if focal else -1,
    )
    return DetectionSpec(head=head, iou=None, min_score=0.5)


def _decoded(sample: Sample) -> DetectionSpec | None:
    """Decoded corners and class scores in two outputs: (1, n, 4) and (1, n, classes), maybe with a background."""
    pair = _boxes_and_scores(sample)
    if pair is None:
        return None
    boxes, scores = pair
    array, values = sample.outputs[boxes][0], sample.outputs[scores]
    if not in_unit_range(values):
        return None
    if not are_corners(array):
        return None
    relative = float(np.abs(array).max()) < 4
    columns = values.shape[2]
    background = None
    if columns > 1 and sums_to_one(values) and sample.labels != columns:
        background = 0
    head = HeadSpec(
        parts=(_part(boxes, Field.BOX), _part(scores, Field.SCORES)),
        unit=Unit.INPUT if relative else Unit.PIXELS,
        background=background,
    )
    return DetectionSpec(head=head)


LAYOUTS: Mapping[str, Recognise] = {
    "tensorflow": _tensorflow,
    "efficient-nms": _efficient_nms,
    "end-to-end": _end_to_end,
    "yolov7-end-to-end": _yolov7_end_to_end,
    "yolov8": _yolov8,
    "yolov8-pose": _yolov8_pose,
    "yolov8-raw": _yolov8_raw,
    "yolov5": _yolov5,
    "yolov5-raw": _yolo_maps("yolov5", BoxCoding.YOLO_SQUARE),
    "yolov7-raw": _yolo_maps("yolov7", BoxCoding.YOLO_SQUARE),
    "yolov3-raw": _yolo_maps("yolov3", BoxCoding.YOLO_EXP),
    "yolox": _yolox,
    "nanodet-plus": _nanodet,
    "yunet": _yunet,
    "retina": _retina(_FACE_SIZES),
    "retina-small": _retina(_SMALL_FACE_SIZES),
    "blazeface": _blazeface,
    "centernet": _centernet,
    "detr": _detr,
    "decoded": _decoded,
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""


def _maps_by_stride(sample: Sample, strides: tuple[int, ...]) -> tuple[str, ...] | None:
    """The outputs (1, channels, rows, columns), one for each stride, where there are no others."""
    if len(sample.outputs) != len(strides):
        return None
    names = []
    for stride in strides:
        grid = grid_size(Level(stride=stride), sample.height, sample.width)
        found = [name for name in sample.of_shape(1, None, *grid) if name not in names]
        if len(found) != 1:
            return None
        names.append(found[0])
    return tuple(names)


def _anchor_maps_by_stride(sample: Sample, strides: tuple[int, ...]) -> tuple[str, ...] | None:
    """The outputs (1, 3, rows, columns, numbers), one for each stride, where there are no others."""
    if len(sample.outputs) != len(strides):
        return None
    names = []
    for stride in strides:
        found = sample.of_shape(1, 3, *grid_size(Level(stride=stride), sample.height, sample.width), None)
        if len(found) != 1:
            return None
        names.append(found[0])
    return tuple(names)


def _boxes_and_scores(sample: Sample) -> tuple[str, str] | None:
    """The two outputs (1, n, 4) and (1, n, classes) of a network that has no others."""
    if len(sample.outputs) != 2 or any(array.ndim != 3 for array in sample.outputs.values()):
        return None
    one, other = sample.outputs
    if sample.outputs[one].shape[1] != sample.outputs[other].shape[1]:
        return None
    widths = {name: array.shape[2] for name, array in sample.outputs.items()}
    fours = [name for name, width in widths.items() if width == 4]
    if len(fours) == 2:  # boxes of a network of four classes: only the name can tell
        fours = [name for name in fours if "box" in name.lower() or "loc" in name.lower()]
    if len(fours) != 1:
        return None
    return fours[0], next(name for name in widths if name != fours[0])


def cell_count(sample: Sample, *strides: int) -> int:
    """The cells of grids of these strides together."""
    grids = (grid_size(Level(stride=stride), sample.height, sample.width) for stride in strides)
    return sum(rows * columns for rows, columns in grids)


def are_corners(boxes: Array) -> bool:
    """Whether (n, 4) are corners, which are in order nearly everywhere; offsets and centres are not."""
    return float(np.mean((boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1]))) >= 0.98


def _is_class(values: Array) -> bool:
    return bool((values == np.rint(values)).all()) and float(values.min()) >= 0
