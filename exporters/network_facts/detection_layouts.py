"""The heads of detectors that people export, told by their outputs' names, shapes and values."""

from collections.abc import Mapping

import numpy as np

from edgevision.exporters.network_facts import face_layouts, yolo_layouts
from edgevision.exporters.network_facts.grids import (
    STRIDES,
    Recognise,
    are_corners,
    are_indices,
    levels_of,
    map_groups,
    part_of,
    unit_of,
)
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range, sums_to_one
from edgevision.runtime.tasks.detection.rows import grid_size
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
    Unit,
)

_MOST_QUERIES, _FEW_QUERIES = 1000, 200
"""How many answers a network gives that has no rows for places, at most and where they are few."""

_SSD_STRIDES = (8, 16, 32, 64, 100, 300)
_SSD_SIDES = (30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0)


def _tensorflow(sample: Sample) -> DetectionSpec | None:
    """TensorFlow's postprocessing: boxes in shares of the input, classes, scores, and how many of them count."""
    found = _counted_answers(sample, "detection_", "num_detections")
    if found is None or _exceeds_input(sample, found[0]):
        return None
    return DetectionSpec(head=HeadSpec(parts=found, coding=BoxCoding.YX_CORNERS, unit=Unit.INPUT), iou=None)


def _efficient_nms(sample: Sample) -> DetectionSpec | None:
    """What TensorRT's EfficientNMS plugin and its imitations give: the same with boxes in pixels."""
    found = _counted_answers(sample, "det_", "num_dets")
    if found is None:
        found = _counted_answers(sample, "detection_", "num_detections")
        if found is None or not _exceeds_input(sample, found[0]):
            return None
    return DetectionSpec(head=HeadSpec(parts=found), iou=None)


def _counted_answers(sample: Sample, prefix: str, count: str) -> tuple[OutputPart, ...] | None:
    """The parts of a head that is four outputs, which are called so."""
    fields = {"boxes": Field.BOX, "scores": Field.SCORE, "classes": Field.CLASS}
    found = [sample.named(f"{prefix}{word}") for word in fields] + [sample.named(count)]
    if not all(len(names) == 1 for names in found):
        return None
    pairs = zip(found, (*fields.values(), Field.COUNT), strict=True)
    return tuple(part_of(names[0], field) for names, field in pairs)


def _exceeds_input(sample: Sample, boxes: OutputPart) -> bool:
    """Whether boxes are larger than shares of an input's sides can be."""
    values = sample.outputs[boxes.outputs[0]]
    return bool(np.abs(values).max(initial=0) > 0) and unit_of(values) is Unit.PIXELS


def _torchvision(sample: Sample) -> DetectionSpec | None:
    """Corners (n, 4), scores (n,) and whole numbers of classes (n,) with NMS done: torchvision's detectors."""
    boxes = sample.of_shape(None, 4)
    lists = sample.of_shape(None)
    classes = [name for name in lists if sample.outputs[name].dtype.kind in "iu"]
    scores = [name for name in lists if name not in classes]
    if not (len(sample.outputs) == 3 and len(boxes) == len(classes) == len(scores) == 1):
        return None
    parts = (part_of(boxes[0], Field.BOX), part_of(scores[0], Field.SCORE), part_of(classes[0], Field.CLASS))
    unit = unit_of(sample.outputs[boxes[0]])
    return DetectionSpec(head=HeadSpec(parts=parts, unit=unit), iou=None)


def _end_to_end(sample: Sample) -> DetectionSpec | None:
    """A list of x1, y1, x2, y2, score, class with NMS done: YOLOv10, Ultralytics' nms=True, (1, 300, 6)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[2] != 6 or array.shape[1] > _MOST_QUERIES or not are_indices(array[0, :, 5]):
        return None
    head = HeadSpec(parts=(part_of(name, Field.BOX, Field.SCORE, Field.CLASS),), unit=unit_of(array[0, :, :4]))
    return DetectionSpec(head=head, iou=None)


def _yolov7_end_to_end(sample: Sample) -> DetectionSpec | None:
    """Rows of batch index, x1, y1, x2, y2, class, score: YOLOv7's export with NMS, (n, 7)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 2 or array.shape[1] != 7:
        return None
    head = HeadSpec(parts=(part_of(name, Field.SKIP, Field.BOX, Field.CLASS, Field.SCORE),))
    return DetectionSpec(head=head, iou=None)


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
            part_of(heat[0], Field.SCORES, arrangement=Arrangement.NCHW),
            part_of(sizes[0], Field.SIZE, arrangement=Arrangement.NCHW),
            part_of(offsets[0], Field.OFFSET, arrangement=Arrangement.NCHW),
        ),
        coding=BoxCoding.CENTERS,
        unit=Unit.STRIDES,
        cell_offset=0.0,
        peaks=True,
        scores=Scores.NONE if in_unit_range(sample.outputs[heat[0]]) else Scores.SIGMOID,
        levels=levels_of((4,)),
    )
    return DetectionSpec(head=head, iou=None, most=100)


def _detr(focal: bool) -> Recognise:
    """A recogniser of DETR, whose classes are apart (``focal``) or shares of a whole with "nothing"."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        pair = _boxes_and_scores(sample)
        if pair is None:
            return None
        boxes, scores = pair
        array, logits = sample.outputs[boxes], sample.outputs[scores]
        queries, columns = array.shape[1], logits.shape[2]
        if queries > _MOST_QUERIES or not in_unit_range(array) or in_unit_range(logits):
            return None
        # The first kind was published with 100 queries, the other with 300 and more.
        if focal != (sample.labels == columns) and not (focal and not sample.labels and queries > _FEW_QUERIES):
            return None
        if columns < 2 and not focal:
            return None
        head = HeadSpec(
            parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
            coding=BoxCoding.CENTER,
            unit=Unit.INPUT,
            scores=Scores.SIGMOID if focal else Scores.SOFTMAX,
            background=None if focal else -1,
        )
        return DetectionSpec(head=head, iou=None, min_score=0.5)

    nothing = "each apart: Deformable DETR, RT-DETR" if focal else 'with "nothing" last: DETR'
    recognise.__doc__ = f"Centre boxes of 0..1 and class logits for each of some hundred queries, {nothing}."
    return recognise


def _detr_rows(sample: Sample) -> DetectionSpec | None:
    """Centre boxes of 0..1 and class scores in one output: RT-DETR of Ultralytics, (1, queries, 4 + classes)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[0] != 1 or not 5 <= array.shape[2] < array.shape[1] <= _MOST_QUERIES:
        return None
    if sample.labels not in (0, array.shape[2] - 4) or not in_unit_range(array) or are_indices(array[0, :, -1]):
        return None
    head = HeadSpec(parts=(part_of(name, Field.BOX, Field.SCORES),), coding=BoxCoding.CENTER, unit=Unit.INPUT)
    return DetectionSpec(head=head, iou=None, min_score=0.5)


def _fcos(sample: Sample) -> DetectionSpec | None:
    """Class scores, distances in pixels and centre-ness, a map each for strides 8 to 128: FCOS."""
    strides = (*STRIDES, 64, 128)
    groups = map_groups(sample, strides, 3)
    if groups is None:
        return None
    names: dict[Field, list[str]] = {Field.SCORES: [], Field.BOX: [], Field.OBJECTNESS: []}
    for group in groups:
        channels = {sample.outputs[name].shape[1]: name for name in group}
        if not {1, 4} < set(channels) or float(sample.outputs[channels[4]].min()) < 0:
            return None
        names[Field.OBJECTNESS].append(channels.pop(1))
        names[Field.BOX].append(channels.pop(4))
        names[Field.SCORES] += channels.values()
    if len({sample.outputs[name].shape[1] for name in names[Field.SCORES]} - {sample.labels or None}) > 1:
        return None
    logits = not all(in_unit_range(sample.outputs[name]) for name in names[Field.SCORES])
    activation = Scores.SIGMOID if logits else Scores.NONE
    head = HeadSpec(
        parts=tuple(part_of(tuple(own), field, arrangement=Arrangement.NCHW) for field, own in names.items()),
        coding=BoxCoding.DISTANCES,
        scores=activation,
        objectness=activation,
        geometric=True,
        levels=levels_of(strides),
    )
    return DetectionSpec(head=head, min_score=0.4, iou=0.6)


def _ssd300(sample: Sample) -> DetectionSpec | None:
    """Offsets from 8732 prior boxes and class scores with a background first: SSD with an input of 300x300."""
    pair = _boxes_and_scores(sample)
    if pair is None or (sample.height, sample.width) != (300, 300):
        return None
    boxes, scores = pair
    array, values = sample.outputs[boxes], sample.outputs[scores]
    if array.shape[1] != 8732 or are_corners(array[0]) or sample.labels not in (0, values.shape[2] - 1):
        return None
    head = HeadSpec(
        parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
        coding=BoxCoding.PRIORS,
        scores=Scores.NONE if sums_to_one(values) else Scores.SOFTMAX,
        background=0,
        levels=levels_of(_SSD_STRIDES, tuple(map(_ssd_anchors, range(len(_SSD_STRIDES))))),
    )
    return DetectionSpec(head=head, min_score=0.4)


def _ssd_anchors(level: int) -> tuple[tuple[float, float], ...]:
    """A square, a larger one, and boxes of the ratios of their sides (Liu et al. 2016, for VOC)."""
    side, larger = _SSD_SIDES[level : level + 2]
    ratios = (2.0, 3.0) if level in (1, 2, 3) else (2.0,)
    pairs = [(side * root, side / root) for root in (ratio**0.5 for ratio in ratios)]
    turned = [box for width, height in pairs for box in ((width, height), (height, width))]
    return ((side, side), ((side * larger) ** 0.5,) * 2, *turned)


def _decoded(sample: Sample) -> DetectionSpec | None:
    """Decoded corners and class scores in two outputs: (1, n, 4) and (1, n, classes), maybe with a background."""
    pair = _boxes_and_scores(sample)
    if pair is None:
        return None
    boxes, scores = pair
    array, values = sample.outputs[boxes].reshape(-1, 4), sample.outputs[scores]
    if not in_unit_range(values) or not are_corners(array):
        return None
    columns = values.shape[2]
    background = None
    if columns > 1 and sums_to_one(values) and sample.labels != columns:
        # A sample shows nothing, which is what most rows are of.
        means = values[0].mean(axis=0)
        background = -1 if means[-1] > max(0.75, float(means[0])) else 0
    head = HeadSpec(
        parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
        unit=unit_of(array),
        background=background,
    )
    return DetectionSpec(head=head)


def _boxes_and_scores(sample: Sample) -> tuple[str, str] | None:
    """The two outputs (1, n, 4), or (1, n, 1, 4), and (1, n, classes) of a network that has no others."""
    shapes = {name: array.shape for name, array in sample.outputs.items()}
    shapes = {
        name: (*shape[:2], shape[3]) if len(shape) == 4 and shape[2:] == (1, 4) else shape
        for name, shape in shapes.items()
    }
    if len(shapes) != 2 or len({shape[:-1] for shape in shapes.values()}) != 1:
        return None
    if any(len(shape) != 3 for shape in shapes.values()):
        return None
    fours = [name for name, shape in shapes.items() if shape[2] == 4]
    if len(fours) == 2:  # boxes of a network of four classes: only the name can tell
        fours = [name for name in fours if "box" in name.lower() or "loc" in name.lower()]
    if len(fours) != 1:
        return None
    return fours[0], next(name for name in shapes if name != fours[0])


LAYOUTS: Mapping[str, Recognise] = {
    "tensorflow": _tensorflow,
    "efficient-nms": _efficient_nms,
    "torchvision": _torchvision,
    "end-to-end": _end_to_end,
    "yolov7-end-to-end": _yolov7_end_to_end,
    **yolo_layouts.LAYOUTS,
    **face_layouts.LAYOUTS,
    "centernet": _centernet,
    "fcos": _fcos,
    "ssd300": _ssd300,
    "detr": _detr(focal=False),
    "detr-focal": _detr(focal=True),
    "detr-rows": _detr_rows,
    "decoded": _decoded,
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""
