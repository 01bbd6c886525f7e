"""The heads of detectors that have suppressed overlapping boxes themselves: lists of answers."""

from collections.abc import Mapping

import numpy as np

from edgevision.exporters.network_facts.grids import Recognise, are_indices, part_of, unit_of
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range
from edgevision.runtime.tasks.detection.spec import BoxCoding, DetectionSpec, Field, HeadSpec, OutputPart, Unit
from edgevision.runtime.tasks.keypoints.schemes import scheme_of

MOST_ROWS = 1000
"""Of the answers of a network that has no rows for places."""


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
    # TensorFlow's export has what they were made of besides.
    found = [[name for name in names if "raw_" not in name.lower()] for names in found]
    if not all(len(names) == 1 for names in found):
        return None
    pairs = zip(found, (*fields.values(), Field.COUNT), strict=True)
    return tuple(part_of(names[0], field) for names, field in pairs)


def _exceeds_input(sample: Sample, boxes: OutputPart) -> bool:
    """Whether boxes are larger than shares of an input's sides can be."""
    values = sample.outputs[boxes.outputs[0]]
    return bool(np.abs(values).max(initial=0) > 0) and unit_of(values) is Unit.PIXELS


def _torchvision(sample: Sample) -> DetectionSpec | None:
    """Corners (n, 4), scores (n,) and whole numbers of classes (n,) with NMS done, or each with a batch of 1:
    torchvision's detectors, RT-DETR, D-FINE."""
    boxes, lists = sample.of_shape(1, None, 4), sample.of_shape(1, None)
    if not boxes:
        boxes, lists = sample.of_shape(None, 4), sample.of_shape(None)
    classes = [name for name in lists if sample.outputs[name].dtype.kind in "iu"]
    scores = [name for name in lists if name not in classes]
    if not (len(sample.outputs) == 3 and len(boxes) == len(classes) == len(scores) == 1):
        return None
    parts = (part_of(boxes[0], Field.BOX), part_of(scores[0], Field.SCORE), part_of(classes[0], Field.CLASS))
    unit = unit_of(sample.outputs[boxes[0]])
    return DetectionSpec(head=HeadSpec(parts=parts, unit=unit), iou=None)


def _tflite(sample: Sample) -> DetectionSpec | None:
    """Boxes (1, n, 4) in shares of the input, classes and scores (1, n), and how many of them count, whatever they are
    called: TensorFlow Lite's postprocessing."""
    if _tensorflow(sample) or _efficient_nms(sample):
        return None
    boxes, lists = sample.of_shape(1, None, 4), sample.of_shape(1, None)
    counts = [name for name, array in sample.outputs.items() if array.size == 1]
    lists = [name for name in lists if name not in counts]
    if not (len(sample.outputs) == 4 and len(boxes) == len(counts) == 1 and len(lists) == 2):
        return None
    classes = [name for name in lists if are_indices(sample.outputs[name])]
    if len(classes) == 2:  # nothing was found: its own order is boxes, classes, scores, count
        classes = [name for name in classes if name.endswith(":1")]
    if len(classes) != 1 or _exceeds_input(sample, part_of(boxes[0], Field.BOX)):
        return None
    (scores,) = (name for name in lists if name not in classes)
    parts = (
        part_of(boxes[0], Field.BOX),
        part_of(scores, Field.SCORE),
        part_of(classes[0], Field.CLASS),
        part_of(counts[0], Field.COUNT),
    )
    return DetectionSpec(head=HeadSpec(parts=parts, coding=BoxCoding.YX_CORNERS, unit=Unit.INPUT), iou=None)


def _mmdeploy(sample: Sample) -> DetectionSpec | None:
    """Rows of x1, y1, x2, y2, score and whole numbers of classes, (1, n, 5) and (1, n): MMDeploy."""
    rows = sample.of_shape(1, None, 5) or sample.of_shape(None, 5)
    classes = [name for name, array in sample.outputs.items() if array.dtype.kind in "iu"]
    if len(sample.outputs) != 2 or len(rows) != 1 or len(classes) != 1:
        return None
    boxes = sample.outputs[rows[0]]
    if sample.outputs[classes[0]].shape != boxes.shape[:-1]:
        return None
    parts = (part_of(rows[0], Field.BOX, Field.SCORE), part_of(classes[0], Field.CLASS))
    return DetectionSpec(head=HeadSpec(parts=parts, unit=unit_of(boxes[..., :4])), iou=None)


def _paddle(sample: Sample) -> DetectionSpec | None:
    """Rows of class, score, x1, y1, x2, y2, and how many there are, (n, 6) and (1,): PaddleDetection."""
    rows = sample.of_shape(None, 6)
    counts = [name for name, array in sample.outputs.items() if array.size == 1 and array.dtype.kind in "iu"]
    if len(sample.outputs) != 2 or len(rows) != 1 or len(counts) != 1:
        return None
    parts = (part_of(rows[0], Field.CLASS, Field.SCORE, Field.BOX), part_of(counts[0], Field.COUNT))
    return DetectionSpec(head=HeadSpec(parts=parts), iou=None)


def _detection_output(sample: Sample) -> DetectionSpec | None:
    """Rows of batch index, class, score, x1, y1, x2, y2 in shares of the input: SSD of Caffe and of OpenVINO's model
    zoo, (1, 1, n, 7)."""
    if sample.only is None or sample.only[1].ndim != 4:
        return None
    name, array = sample.only
    if array.shape[:2] != (1, 1) or array.shape[3] != 7 or not in_unit_range(array[0, 0, :, 2]):
        return None
    part = part_of(name, Field.SKIP, Field.CLASS, Field.SCORE, Field.BOX)
    return DetectionSpec(head=HeadSpec(parts=(part,), unit=Unit.INPUT), iou=None)


def _tensorflow_rows(sample: Sample) -> DetectionSpec | None:
    """Rows of picture's number, y1, x1, y2, x2, score, class in pixels: EfficientDet of TensorFlow, (1, n, 7)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[0] != 1 or array.shape[2] != 7 or array.shape[1] > MOST_ROWS:
        return None
    if not are_indices(array[0, :, 6]) or not in_unit_range(array[0, :, 5]):
        return None
    head = HeadSpec(
        parts=(part_of(name, Field.SKIP, Field.BOX, Field.SCORE, Field.CLASS),),
        coding=BoxCoding.YX_CORNERS,
        unit=unit_of(array[0, :, 1:5]),
    )
    return DetectionSpec(head=head, iou=None)


def _end_to_end(sample: Sample) -> DetectionSpec | None:
    """A list of x1, y1, x2, y2, score, class with NMS done: YOLOv10, Ultralytics' nms=True, (1, 300, 6)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[2] != 6 or array.shape[1] > MOST_ROWS or not are_indices(array[0, :, 5]):
        return None
    head = HeadSpec(parts=(part_of(name, Field.BOX, Field.SCORE, Field.CLASS),), unit=unit_of(array[0, :, :4]))
    return DetectionSpec(head=head, iou=None)


def _end_to_end_pose(sample: Sample) -> DetectionSpec | None:
    """The same with x, y, visibility of each point behind: Ultralytics' poses, (1, 300, 6 + 3 points)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[0] != 1 or array.shape[1] > MOST_ROWS or not are_indices(array[0, :, 5]):
        return None
    points, left = divmod(array.shape[2] - 6, 3)
    if points < 1 or left or not in_unit_range(array[0, :, 4]):
        return None
    head = HeadSpec(
        parts=(part_of(name, Field.BOX, Field.SCORE, Field.CLASS, Field.POINTS),),
        unit=unit_of(array[0, :, :4]),
        points=points,
        point_width=3,
    )
    return with_points(DetectionSpec(head=head, iou=None))


def with_points(spec: DetectionSpec) -> DetectionSpec:
    """With what is known of as many points as some people number alike."""
    assert spec.head is not None
    scheme = scheme_of(spec.head.points)
    return spec if scheme is None else spec.updated(point_names=scheme.point_names, skeleton=scheme.skeleton)


def _yolov7_end_to_end(sample: Sample) -> DetectionSpec | None:
    """Rows of batch index, x1, y1, x2, y2, class, score: YOLOv7's export with NMS, (n, 7)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 2 or array.shape[1] != 7 or _is_flat(name):
        return None
    head = HeadSpec(parts=(part_of(name, Field.SKIP, Field.BOX, Field.CLASS, Field.SCORE),))
    return DetectionSpec(head=head, iou=None)


def _yolo_nas_flat(sample: Sample) -> DetectionSpec | None:
    """The same with the score before the class, called flat predictions: YOLO-NAS, (n, 7)."""
    if sample.only is None or sample.only[1].ndim != 2 or sample.only[1].shape[1] != 7 or not _is_flat(sample.only[0]):
        return None
    head = HeadSpec(parts=(part_of(sample.only[0], Field.SKIP, Field.BOX, Field.SCORE, Field.CLASS),))
    return DetectionSpec(head=head, iou=None)


def _is_flat(name: str) -> bool:
    return "flat_predictions" in name.lower()


LAYOUTS: Mapping[str, Recognise] = {
    "tensorflow": _tensorflow,
    "tflite": _tflite,
    "tensorflow-rows": _tensorflow_rows,
    "efficient-nms": _efficient_nms,
    "torchvision": _torchvision,
    "mmdeploy": _mmdeploy,
    "paddle": _paddle,
    "detection-output": _detection_output,
    "end-to-end": _end_to_end,
    "end-to-end-pose": _end_to_end_pose,
    "yolov7-end-to-end": _yolov7_end_to_end,
    "yolo-nas-flat": _yolo_nas_flat,
}
"""By name, as those of all detectors."""
