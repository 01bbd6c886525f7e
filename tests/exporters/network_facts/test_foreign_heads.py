"""One box, coded as strangers' exports code it: the layout is told from the outputs, and the box comes back."""

import numpy as np
import pytest

from edgevision.exporters.network_facts.detection_layouts import LAYOUTS, Sample
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows

SIDE, CLASSES, CLASS = 64, 3, 1
BOX = np.array([12, 20, 36, 52], np.float32)
CENTER = np.array([24, 36, 24, 32], np.float32)
STRIDES = (8, 16, 32)
DRAW = np.random.default_rng(0)
# In the grid of stride 8 the cell whose middle is (20, 36): the box reaches 1, 2, 2 and 2 cells from there.
COLUMN, ROW, DISTANCES = 2, 4, (1, 2, 2, 2)


def count(strides=STRIDES, per_cell=1):
    return per_cell * sum((SIDE // stride) ** 2 for stride in strides)


def noise(*shape):
    return DRAW.normal(0, 1, shape).astype(np.float32)


def faint(*shape):
    """Scores of nothing."""
    return DRAW.uniform(0, 0.05, shape).astype(np.float32)


def logit(scores):
    return np.log(scores / (1 - scores)).astype(np.float32)


def decoded(rows, *columns, scale=1.0):
    """Centre boxes all over the input, and columns of scores; the seventh row has the box."""
    centers = np.concatenate([DRAW.uniform(8, 56, (rows, 2)), DRAW.uniform(4, 20, (rows, 2))], 1)
    table = np.concatenate([centers, *(faint(rows, wide) for wide in columns)], 1).astype(np.float32)
    table[7, :4] = CENTER
    table[7, table.shape[1] - CLASSES + CLASS] = 0.9
    if len(columns) == 2:
        table[7, 4] = 1
    table[:, :4] *= scale
    return table[None]


def maps(strides, channels, make=noise):
    return [make(1, channels, SIDE // stride, SIDE // stride) for stride in strides]


def named(prefix, strides, arrays):
    return {f"{prefix}{stride}": array for stride, array in zip(strides, arrays, strict=True)}


def bins(number, arrays):
    """Write the box as logits of that many bins into maps of stride 8, 16 and 32."""
    for side, distance in enumerate(DISTANCES):
        arrays[0][0, side * number : (side + 1) * number, ROW, COLUMN] = -20
        arrays[0][0, side * number + distance, ROW, COLUMN] = 20
    return arrays


def class_maps(strides=STRIDES, classes=CLASSES):
    arrays = maps(strides, classes, faint)
    arrays[0][0, CLASS, ROW, COLUMN] = 0.9
    return arrays


def joined(*groups):
    return [np.concatenate(arrays, axis=1) for arrays in zip(*groups, strict=True)]


def in_rows(arrays):
    """Maps (1, C, h, w) as (1, cells, C)."""
    return [array.reshape(1, array.shape[1], -1).transpose(0, 2, 1) for array in arrays]


def distances(unit=1):
    arrays = maps(STRIDES, 4, lambda *shape: DRAW.uniform(0.1, 2, shape).astype(np.float32))
    arrays[0][0, :, ROW, COLUMN] = np.array(DISTANCES) * unit
    return arrays


def anchored(stride, anchor, anchors, exp=True):
    """A map of one stride with ``anchors``, of which the second has the box."""
    cells = SIDE // stride
    table = noise(1, anchors, 5 + CLASSES, cells, cells)
    table[:, :, 4] = -6
    column, row = (CENTER[:2] // stride).astype(int)
    share = CENTER[:2] / stride - (column, row)
    xy = logit(np.clip(share, 1e-4, 1 - 1e-4)) if exp else logit((share + 0.5) / 2)
    size = CENTER[2:] / anchor
    wh = np.log(size) if exp else logit(np.sqrt(size) / 2)
    table[0, 1, :, row, column] = [*xy, *wh, 6, *np.where(np.arange(CLASSES) == CLASS, 9, -9)]
    return table.reshape(1, -1, cells, cells)


def quiet_anchors(stride, anchors):
    table = noise(1, anchors, 5 + CLASSES, SIDE // stride, SIDE // stride)
    table[:, :, 4] = -6
    return table.reshape(1, -1, *table.shape[3:])


def scrfd():
    found = {}
    for stride in STRIDES:
        rows = 2 * (SIDE // stride) ** 2
        found[f"s{stride}"], found[f"b{stride}"] = faint(rows, 1), np.abs(noise(rows, 4))
        found[f"k{stride}"] = noise(rows, 10)
    # Its cells begin at their corner: the one at (16, 32) reaches 0.5, 1.5, 2.5 and 2.5 cells.
    place = 2 * (ROW * 8 + COLUMN)
    found["s8"][place], found["b8"][place] = 0.9, [0.5, 1.5, 2.5, 2.5]
    return found


def post_nms(rows, scale=1.0):
    boxes = np.zeros((1, rows, 4), np.float32)
    boxes[0, 0] = BOX * scale
    scores, classes = np.zeros((2, 1, rows), np.float32)
    scores[0, 0], classes[0, 0] = 0.9, CLASS
    return boxes, scores, classes


def torchvision():
    boxes, scores, classes = post_nms(5)
    return {"2953": boxes[0], "3001": classes[0].astype(np.int64), "2988": scores[0]}


def counted():
    boxes, scores, classes = post_nms(100)
    number = np.array([[1]], np.int32)
    found = (number, boxes, scores, classes.astype(np.int32))
    return dict(zip(("num_detections", "detection_boxes", "detection_scores", "detection_classes"), found, strict=True))


def queries(rows, columns):
    table = decoded(rows, CLASSES, scale=1 / SIDE)
    scores = np.full((1, rows, columns), -4, np.float32)
    scores[0, 7, CLASS] = 4
    return {"logits": scores, "pred_boxes": table[:, :, :4]}


def shared_corners(last=None):
    """Corners (1, n, 1, 4), or those and shares with what is nothing ``last``."""
    boxes = np.tile(BOX + 1, (1, 300, 1))
    scores = faint(1, 300, CLASSES)
    boxes[0, 7], scores[0, 7, CLASS] = BOX, 0.9
    if last is None:
        return {"confs": scores, "boxes": boxes[:, :, None] / SIDE}
    nothing = 1 - scores.sum(axis=2, keepdims=True)
    return {"boxes": boxes, "scores": np.concatenate([scores, nothing] if last else [nothing, scores], axis=2)}


def beside_maps(table):
    return {"output": table} | named("raw", STRIDES, maps(STRIDES, 64 + CLASSES))


def answers(kind, rows=100):
    """Boxes with suppression in the graph, as the authors of that ``kind`` arrange them."""
    boxes, scores, classes = post_nms(rows)
    yx, shares = boxes[:, :, [1, 0, 3, 2]] / SIDE, boxes / SIDE
    s, c, zeros = scores[:, :, None], classes[:, :, None], np.zeros((1, rows, 1), np.float32)
    count, whole = np.array([1], np.float32), classes.astype(np.int64)
    both = np.concatenate([boxes, s, c], axis=2)
    return {
        "tensorflow 2": {
            "detection_boxes": yx,
            "detection_classes": classes,
            "detection_multiclass_scores": faint(1, rows, 4),
            "detection_scores": scores,
            "num_detections": count,
            "raw_detection_boxes": yx,
            "raw_detection_scores": faint(1, rows, 4),
        },
        "tensorflow lite": {
            "TFLite_Detection_PostProcess": yx,
            "TFLite_Detection_PostProcess:1": classes,
            "TFLite_Detection_PostProcess:2": scores,
            "TFLite_Detection_PostProcess:3": count,
        },
        "efficientdet of tensorflow": {
            "detections:0": np.concatenate([zeros, SIDE * yx, s, c], axis=2),
        },
        "rt-detr with sizes": {"labels": whole, "boxes": boxes, "scores": scores},
        "mmdeploy": {"dets": np.concatenate([boxes, s], axis=2), "labels": whole},
        "paddle": {
            "multiclass_nms3_0.tmp_0": np.concatenate([c, s, boxes], axis=2)[0],
            "multiclass_nms3_0.tmp_2": count.astype(np.int32),
        },
        "caffe's ssd": {"detection_out": np.concatenate([zeros, c, s, shares], axis=2)[None]},
        "yolo-nas, flat": {"graph2_flat_predictions": np.concatenate([zeros, both], axis=2)[0]},
    }[kind]


def pp_yoloe():
    table = shared_corners()
    return {"conv.tmp_0": table["boxes"][:, :, 0] * SIDE, "concat.tmp_0": table["confs"].transpose(0, 2, 1)}


def nine_a_cell(offset, anchor, turned):
    """Offsets from the first of nine boxes of the cell, (y, x, h, w) or (x, y, w, h)."""
    rows = 9 * sum((-(-SIDE // stride)) ** 2 for stride in (*STRIDES, 64, 128))
    boxes, scores = noise(1, rows, 4), faint(1, rows, CLASSES)
    place = 9 * (ROW * 8 + COLUMN)
    prior = 8 * (np.array([COLUMN, ROW]) + offset)
    coded = np.concatenate([(CENTER[:2] - prior) / anchor, np.log(CENTER[2:] / anchor)])
    boxes[0, place] = coded[[1, 0, 3, 2]] if turned else coded
    scores[0, place, CLASS] = 0.9
    return {"regression": boxes, "classification": scores}


def picodet():
    scores, sides = in_rows(class_maps()), in_rows(bins(8, maps(STRIDES, 32)))
    last = {"cls_64": faint(1, 1, CLASSES), "dis_64": noise(1, 1, 32)}
    return named("cls_", STRIDES, scores) | named("dis_", STRIDES, sides) | last


FOREIGN = {
    "tensorflow 2": ("tensorflow", answers("tensorflow 2")),
    "tensorflow lite": ("tflite", answers("tensorflow lite")),
    "efficientdet of tensorflow": ("tensorflow-rows", answers("efficientdet of tensorflow")),
    "rt-detr with sizes": ("torchvision", answers("rt-detr with sizes")),
    "mmdeploy": ("mmdeploy", answers("mmdeploy")),
    "paddle": ("paddle", answers("paddle")),
    "caffe's ssd": ("detection-output", answers("caffe's ssd")),
    "yolo-nas, flat": ("yolo-nas-flat", answers("yolo-nas, flat")),
    "pp-yoloe": ("decoded", pp_yoloe()),
    "detr beside its states": ("detr", queries(100, CLASSES + 1) | {"last_hidden_state": noise(1, 100, 8)}),
    "efficientdet": ("efficientdet", nine_a_cell(0.5, np.array([32.0, 32.0]), turned=True)),
    "retinanet": ("retinanet", nine_a_cell(0, np.array([32 * 2**0.5, 32 / 2**0.5]), turned=False)),
    "picodet in eight outputs": ("nanodet-split", picodet()),
    "yolov8 in shares": ("yolov8", {"output0": decoded(count(), CLASSES, scale=1 / SIDE).transpose(0, 2, 1)}),
    "yolov8 turned round": ("yolov8", {"Identity": decoded(count(), CLASSES)}),
    "yolov8 in 16 bits": ("yolov8", {"output0": decoded(count(), CLASSES).transpose(0, 2, 1).astype(np.float16)}),
    "yolov8 with four strides": ("yolov8", {"out": decoded(count((8, 16, 32, 64)), CLASSES).transpose(0, 2, 1)}),
    "yolov8 beside its maps": ("yolov8", beside_maps(decoded(count(), CLASSES).transpose(0, 2, 1))),
    "yolov8 in two maps": (
        "yolov8-split",
        named("cls", STRIDES, class_maps()) | named("reg", STRIDES, bins(16, maps(STRIDES, 64))),
    ),
    "distances in two maps": ("yolov8-split", named("a", STRIDES, distances()) | named("b", STRIDES, class_maps())),
    "yolov8 raw, with probabilities": (
        "yolov8-raw",
        named("p", STRIDES, joined(bins(16, maps(STRIDES, 64)), class_maps())),
    ),
    "distances in one map": ("yolo-distances", named("p", STRIDES, joined(distances(), class_maps()))),
    "yolov5 turned round, in shares": (
        "yolov5",
        {"out": decoded(count(per_cell=3), 1, CLASSES, scale=1 / SIDE).transpose(0, 2, 1)},
    ),
    "yolov5 for large pictures": ("yolov5", {"output": decoded(count((8, 16, 32, 64), 3), 1, CLASSES)}),
    "yolov2 of VOC": ("yolov2-tiny-voc", {"grid": anchored(32, np.array([109.44, 141.12]), 5)}),
    "yolov3-tiny": (
        "yolov3-tiny-raw",
        {"16": anchored(16, np.array([23, 27]), 3), "32": quiet_anchors(32, 3)},
    ),
    "nanodet": (
        "nanodet",
        {"output": np.concatenate(in_rows(joined(class_maps(), bins(8, maps(STRIDES, 32)))), axis=1)},
    ),
    "nanodet in six outputs": (
        "nanodet-split",
        named("cls_", STRIDES, in_rows(class_maps())) | named("dis_", STRIDES, in_rows(bins(8, maps(STRIDES, 32)))),
    ),
    "scrfd": ("scrfd", scrfd()),
    "torchvision": ("torchvision", torchvision()),
    "counted answers in pixels": ("efficient-nms", counted()),
    "deformable detr": ("detr-focal", queries(300, CLASSES)),
    "rt-detr in one output": ("detr-rows", {"output0": decoded(300, CLASSES, scale=1 / SIDE)}),
    "pytorch-yolov4": ("decoded", shared_corners()),
    "background last": ("decoded", shared_corners(last=True)),
    "background first": ("decoded", shared_corners(last=False)),
}
# What more than one layout has, unless the classes are named or the layout is.
LABELS = {"yolov8 turned round": CLASSES, "deformable detr": CLASSES}
GIVEN = {"yolov2 of VOC", "efficientdet", "retinanet"}


@pytest.mark.parametrize("name", FOREIGN)
def test_the_box_comes_back(name):
    layout, outputs = FOREIGN[name]
    fitting = {
        each: spec
        for each, recognise in LAYOUTS.items()
        if (spec := recognise(Sample(outputs, SIDE, SIDE, LABELS.get(name, 0)))) is not None
    }
    assert layout in fitting if name in GIVEN else list(fitting) == [layout]
    head = fitting[layout].head
    rows = gather_rows(head, outputs, SIDE, SIDE)
    found = candidates(head, rows, SIDE, SIDE, min_score=0.5, multi_label=False)
    np.testing.assert_allclose(found.boxes, [BOX], atol=0.1)
    assert found.classes.tolist() == [0 if name == "scrfd" else CLASS]
    assert 0.85 < found.scores[0] <= 1


@pytest.mark.parametrize("name", LABELS)
def test_without_labels_it_may_be_something_else(name):
    outputs = FOREIGN[name][1]
    assert len([each for each in LAYOUTS.values() if each(Sample(outputs, SIDE, SIDE, 0)) is not None]) > 1


def fcos():
    strides = (8, 16, 32, 64, 128)
    side = 256
    found = {}
    for stride in strides:
        cells = side // stride
        found |= {f"cls{stride}": np.full((1, 2, cells, cells), -5, np.float32)}
        found |= {
            f"reg{stride}": np.full((1, 4, cells, cells), 9, np.float32),
            f"ctr{stride}": noise(1, 1, cells, cells),
        }
    found["cls8"][0, CLASS, ROW, COLUMN], found["ctr8"][0, 0, ROW, COLUMN] = 4, 4
    found["reg8"][0, :, ROW, COLUMN] = 8 * np.array(DISTANCES)
    return found, side


def test_fcos_has_distances_in_pixels_and_a_centreness():
    outputs, side = fcos()
    (spec,) = filter(None, (recognise(Sample(outputs, side, side, 0)) for recognise in LAYOUTS.values()))
    rows = gather_rows(spec.head, outputs, side, side)
    found = candidates(spec.head, rows, side, side, min_score=0.5, multi_label=False)
    np.testing.assert_allclose(found.boxes, [BOX], atol=0.01)
    assert found.classes.tolist() == [CLASS]


def test_ssd300_has_the_priors_that_it_was_published_with():
    loc, conf = noise(1, 8732, 4), np.zeros((1, 8732, 4), np.float32)
    conf[:, :, 0] = 8
    # The last cell of all sees the whole input: a square of 264, one of the root of 264 x 315, and two upright or not.
    loc[0, -3], conf[0, -3] = 0, [0, 0, 9, 0]
    (spec,) = filter(
        None, (recognise(Sample({"loc": loc, "conf": conf}, 300, 300, 0)) for recognise in LAYOUTS.values())
    )
    rows = gather_rows(spec.head, {"loc": loc, "conf": conf}, 300, 300)
    found = candidates(spec.head, rows, 300, 300, min_score=0.5, multi_label=False)
    half = (264 * 315) ** 0.5 / 2
    np.testing.assert_allclose(found.boxes, [[150 - half, 150 - half, 150 + half, 150 + half]], rtol=1e-5)
    assert found.classes.tolist() == [1]


def test_nothing_found_is_no_mistake():
    """An export with suppression in the graph finds nothing in what it is tried on."""
    empty = {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64), "scores": np.zeros(0, np.float32)}
    spec = LAYOUTS["torchvision"](Sample(empty, SIDE, SIDE, 0))
    rows = gather_rows(spec.head, empty, SIDE, SIDE)
    assert len(candidates(spec.head, rows, SIDE, SIDE, min_score=0.0, multi_label=False).boxes) == 0


POINTS = DRAW.uniform(5, 60, (5, 2)).astype(np.float32)


def posed(kind):
    """One box with five points, and the classes that are named."""
    seen = np.concatenate([POINTS, np.ones((5, 1), np.float32)], axis=1).ravel()
    if kind == "end-to-end-pose":
        rows = np.zeros((1, 300, 21), np.float32)
        rows[0, 0] = [*BOX, 0.9, 0, *seen]
        return {"output0": rows}, 0
    if kind == "yolov5-face":
        rows = decoded(count(per_cell=3), 1)
        rows = np.concatenate([rows, 64 * faint(1, count(per_cell=3), 10), faint(1, count(per_cell=3), 1)], axis=2)
        rows[0, 7] = [*CENTER, 1, *POINTS.ravel(), 0.9]
        return {"output": rows}, 0
    rows = np.concatenate([decoded(count(), 2), 64 * DRAW.random((1, count(), 15))], axis=2).astype(np.float32)
    rows[0, 7] = [*CENTER, 0.9, 0, *seen]
    return {"output0": rows.transpose(0, 2, 1)}, 2


@pytest.mark.parametrize("layout", ["end-to-end-pose", "yolov5-face", "yolov8-pose"])
def test_points_come_back_with_their_box(layout):
    outputs, labels = posed(layout)
    found = {name: told for name, each in LAYOUTS.items() if (told := each(Sample(outputs, SIDE, SIDE, labels)))}
    assert list(found) == [layout]
    spec = found[layout]
    assert spec.point_names[:2] == ("left eye", "right eye")
    rows = gather_rows(spec.head, outputs, SIDE, SIDE)
    found = candidates(spec.head, rows, SIDE, SIDE, min_score=0.5, multi_label=False)
    np.testing.assert_allclose(found.boxes, [BOX], atol=0.1)
    np.testing.assert_allclose(found.points[0, :, :2], POINTS, atol=0.1)


@pytest.mark.parametrize(
    ("side", "rows", "points", "thing"),
    [
        (128, 896, 6, "face"),
        (256, 896, 6, "face"),
        (192, 2304, 6, "face"),
        (192, 2016, 7, "palm"),
        (224, 2254, 4, "person"),
    ],
)
def test_mediapipes_detectors_have_as_many_boxes_a_cell_as_they_were_published_with(side, rows, points, thing):
    numbers, logits = np.zeros((1, rows, 4 + 2 * points), np.float32), np.full((1, rows, 1), -9, np.float32)
    numbers[0, -1, :4], logits[0, -1] = [0, 0, side / 4, side / 2], 9  # the last cell's
    outputs = {"regressors": numbers, "classificators": logits}
    (spec,) = filter(None, (recognise(Sample(outputs, side, side, 0)) for recognise in LAYOUTS.values()))
    assert (spec.labels, len(spec.point_names)) == ((thing,), points)
    table = gather_rows(spec.head, outputs, side, side)
    found = candidates(spec.head, table, side, side, min_score=0.5, multi_label=False)
    center = side - spec.head.levels[-1].stride / 2
    box = [center - side / 8, center - side / 4, center + side / 8, center + side / 4]
    np.testing.assert_allclose(found.boxes, [box], rtol=1e-5)
