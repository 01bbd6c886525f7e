"""Each layout is recognised from answers like those that networks of its kind give, and by nothing else."""

import numpy as np
import pytest

from edgevision.exporters.network_facts.detection import with_background
from edgevision.exporters.network_facts.detection_layouts import LAYOUTS, Sample
from edgevision.exporters.network_facts.head_layouts import background_among
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import BoxCoding

SIDE = 64
GRIDS = {stride: SIDE // stride for stride in (4, 8, 16, 32, 64)}
CELLS = sum(GRIDS[stride] ** 2 for stride in (8, 16, 32))
CLASSES = 3
GENERATOR = np.random.default_rng(0)


def unit(*shape):
    return GENERATOR.random(shape).astype(np.float32)


def logits(*shape):
    return GENERATOR.normal(0, 3, shape).astype(np.float32)


def corners(count, scale):
    low = GENERATOR.random((1, count, 2))
    return (np.concatenate([low, low + 0.2], axis=2) * scale).astype(np.float32)


def centers(count, scale=SIDE):
    return (np.concatenate([unit(1, count, 2), 0.2 * unit(1, count, 2)], axis=2) * scale).astype(np.float32)


def softmaxed(*shape):
    raised = np.exp(logits(*shape))
    return raised / raised.sum(axis=-1, keepdims=True)


def maps(channels):
    return {f"p{stride}": logits(1, channels, GRIDS[stride], GRIDS[stride]) for stride in (8, 16, 32)}


def joined(*arrays, axis=2):
    return np.concatenate(arrays, axis=axis)


def end_to_end():
    return joined(corners(300, SIDE), unit(1, 300, 1), GENERATOR.integers(0, 80, (1, 300, 1)).astype(np.float32))


def yunet():
    found = {}
    for stride in (8, 16, 32):
        count = GRIDS[stride] ** 2
        found |= {f"cls_{stride}": unit(1, count, 1), f"obj_{stride}": unit(1, count, 1)}
        found |= {f"bbox_{stride}": logits(1, count, 4), f"kps_{stride}": logits(1, count, 10)}
    return found


ANSWERS = {
    "tensorflow": lambda: {
        "detection_boxes": corners(10, 1),
        "detection_scores": unit(1, 10),
        "detection_classes": np.ones((1, 10), np.float32),
        "num_detections": np.array([7], np.float32),
    },
    "efficient-nms": lambda: {
        "num_dets": np.array([[4]], np.int32),
        "det_boxes": corners(10, SIDE),
        "det_scores": unit(1, 10),
        "det_classes": np.zeros((1, 10), np.int32),
    },
    "end-to-end": lambda: {"output0": end_to_end()},
    "yolov7-end-to-end": lambda: {
        "output": joined(
            np.zeros((1, 9, 1), np.float32), corners(9, SIDE), np.ones((1, 9, 1), np.float32), unit(1, 9, 1)
        )[0]
    },
    "yolov8": lambda: {"output0": joined(centers(CELLS), unit(1, CELLS, CLASSES)).transpose(0, 2, 1)},
    "yolov8-pose": lambda: {
        "output0": joined(centers(CELLS), unit(1, CELLS, 1), SIDE * unit(1, CELLS, 51)).transpose(0, 2, 1)
    },
    "yolov8-raw": lambda: maps(64 + CLASSES),
    "yolov5": lambda: {"output": joined(centers(3 * CELLS), unit(1, 3 * CELLS, 1 + CLASSES))},
    "yolox": lambda: {"output": joined(logits(1, CELLS, 4), unit(1, CELLS, 1 + CLASSES))},
    "nanodet-plus": lambda: {"output": joined(unit(1, CELLS + 1, CLASSES), logits(1, CELLS + 1, 32))},
    "yunet": yunet,
    "centernet": lambda: {
        "hm": logits(1, CLASSES, 16, 16),
        "wh": logits(1, 2, 16, 16),
        "reg": logits(1, 2, 16, 16),
    },
    "detr": lambda: {"logits": logits(1, 100, CLASSES + 1), "pred_boxes": centers(100, 1)},
    "decoded": lambda: {"scores": softmaxed(1, 420, 2), "boxes": corners(420, 1)},
}


def fitting(outputs, labels=0):
    sample = Sample(outputs, SIDE, SIDE, labels)
    return {name: spec for name, recognise in LAYOUTS.items() if (spec := recognise(sample)) is not None}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_layout_is_recognised_and_no_other_is(name):
    outputs = ANSWERS[name]()
    (found,) = fitting(outputs)
    assert found == name


@pytest.mark.parametrize("name", ANSWERS)
def test_boxes_come_out_of_what_is_recognised(name):
    outputs = ANSWERS[name]()
    (spec,) = fitting(outputs).values()
    rows = gather_rows(spec.head, outputs, SIDE, SIDE)
    found = candidates(spec.head, rows, SIDE, SIDE, min_score=0.0, multi_label=False)
    assert len(found.boxes) > 0
    assert found.scores.max() <= 1
    assert (found.points is None) == (spec.head.points == 0)


def test_maps_of_three_anchors_may_be_of_several_kinds():
    assert set(fitting(maps(3 * (5 + CLASSES)))) == {"yolov5-raw", "yolov7-raw", "yolov3-raw"}


def test_two_squares_a_cell_may_be_of_two_kinds_of_faces():
    rows = 2 * CELLS
    outputs = {"loc": logits(1, rows, 4), "conf": softmaxed(1, rows, 2), "landms": logits(1, rows, 10)}
    assert set(fitting(outputs)) == {"retina", "retina-small"}


def test_labels_tell_what_shapes_alone_would_leave_open():
    outputs = ANSWERS["yolov8"]()
    assert set(fitting(outputs, labels=CLASSES)) == {"yolov8"}
    assert not fitting(outputs, labels=CLASSES + 1)


def test_boxes_that_are_decoded_already_are_told_by_their_reach():
    coded = fitting(ANSWERS["yolox"]())["yolox"]
    decoded = fitting({"output": joined(centers(CELLS), unit(1, CELLS, 1 + CLASSES))})["yolox"]
    assert (coded.head.coding, decoded.head.coding) == (BoxCoding.CELLS, BoxCoding.CENTER)


def test_two_scores_that_add_up_to_one_have_a_background():
    scores = softmaxed(1, 420, 2)
    outputs = {"scores": scores, "boxes": corners(420, SIDE)}
    assert fitting(outputs)["decoded"].head.background == 0
    assert fitting(outputs, labels=2)["decoded"].head.background is None


@pytest.mark.parametrize("outputs", [{"a": logits(1, 10)}, {"a": logits(1, 8, 8, 8), "b": logits(1, 7)}])
def test_what_is_no_detector_is_none(outputs):
    assert not fitting(outputs)


@pytest.mark.parametrize(("columns", "background"), [(2, 0), (1, None)])
def test_a_label_called_background_is_no_class(columns, background):
    sample = Sample({"boxes": corners(9, 1), "scores": unit(1, 9, columns)}, SIDE, SIDE, 1)
    found = LAYOUTS["decoded"](sample).updated(labels=("Background", "face"))
    spec = with_background(found, background_among(found.labels), sample)
    assert (spec.labels, spec.head.background) == (("face",), background)


def test_a_background_keeps_its_number_where_the_graph_gives_numbers():
    sample = Sample({"output0": end_to_end()}, SIDE, SIDE, 1)
    found = LAYOUTS["end-to-end"](sample).updated(labels=("background", "face"))
    assert with_background(found, 0, sample) == found
