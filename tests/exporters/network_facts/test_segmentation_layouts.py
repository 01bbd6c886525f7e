import logging

import numpy as np
import pytest

from edgevision.core.errors import InputError
from edgevision.exporters.network_facts.head_layouts import Sample, recognised
from edgevision.exporters.network_facts.segmentation_layouts import LAYOUTS
from edgevision.runtime.tasks.detection.spec import Arrangement, BoxCoding, Scores, Unit
from edgevision.runtime.tasks.segmentation.spec import Channels, MapField

HEIGHT, WIDTH = 64, 96
DRAW = np.random.default_rng(0)


def logits(*shape):
    return DRAW.normal(0, 3, shape).astype(np.float32)


def shares(*shape, axis=1):
    raised = np.exp(logits(*shape))
    return raised / raised.sum(axis=axis, keepdims=True)


def told(*outputs, labels=0, layout=None, names=None):
    names = names or [f"out{index}" for index in range(len(outputs))]
    sample = Sample(dict(zip(names, outputs, strict=True)), HEIGHT, WIDTH, labels)
    spec = recognised(sample, LAYOUTS, layout, "docs/segmentation.md")
    part = spec.head.maps[0]
    return spec.layout, part, spec


@pytest.mark.parametrize("shape", [(1, 1, 64, 96), (1, 64, 96, 1), (1, 64, 96), (1, 1, 16, 24)])
def test_one_map_is_a_foreground(shape):
    name, part, spec = told(logits(*shape))
    assert (name, part.activation, spec.labels) == ("foreground", Scores.SIGMOID, ("background", "foreground"))
    assert told(1 / (1 + np.exp(-logits(*shape))))[1].activation is Scores.NONE


def test_of_several_maps_alike_the_first_is_taken():
    name, part, _ = told(*(1 / (1 + np.exp(-logits(1, 1, HEIGHT, WIDTH))) for _ in range(7)))
    assert (name, part.output) == ("foreground", "out0")


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(1, 64, 96), (1, 1, 64, 96)])
def test_whole_numbers_are_classes(dtype, shape):
    assert told(DRAW.integers(0, 19, shape).astype(dtype))[0] == "class-map"


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_a_map_for_each_class(stride):
    rows, columns = HEIGHT // stride, WIDTH // stride
    name, part, spec = told(logits(1, 21, rows, columns))
    assert (name, part.channels, part.activation) == ("scores", Channels.FIRST, Scores.SOFTMAX)
    assert spec.head.background is None
    assert told(shares(1, 21, rows, columns))[1].activation is Scores.NONE
    name, part, _ = told(logits(1, rows, columns, 21))
    assert (name, part.channels) == ("scores-last", Channels.LAST)


def test_two_maps_are_background_and_foreground():
    _, _, spec = told(logits(1, 2, HEIGHT, WIDTH))
    assert (spec.head.background, spec.labels) == (0, ("background", "foreground"))


def test_an_auxiliary_output_is_not_the_answer():
    maps = logits(1, 21, HEIGHT, WIDTH)
    assert told(maps, maps, names=["aux", "out"])[1].output == "out"


def test_channels_that_could_be_first_or_last_are_ambiguous():
    with pytest.raises(InputError, match=r"may be scores or scores-last: say which with --head"):
        told(logits(1, 32, 48, 72))
    assert told(logits(1, 32, 48, 72), layout="scores-last")[1].channels is Channels.LAST


def test_answers_with_suppression_in_the_graph_have_masks():
    corners = np.sort(DRAW.uniform(0, 60, (300, 2, 2)), axis=1).reshape(300, 4)
    answers = np.concatenate([corners, DRAW.random((300, 1)), DRAW.integers(0, 80, (300, 1)), logits(300, 32)], axis=1)
    name, _, spec = told(answers[None].astype(np.float32), logits(1, 32, HEIGHT // 4, WIDTH // 4))
    boxes = spec.head.boxes
    assert (name, boxes.iou, boxes.head.coefficients) == ("end-to-end-seg", None, 32)
    assert boxes.head.coding is BoxCoding.CORNERS


@pytest.mark.parametrize(
    "outputs", [[(1, 1000)], [(1, 8400, 85)], [(1, 3, 64, 30)], [(1, 1, 64, 96), (1, 21, 64, 96)], [(2, 3, 64, 96)]]
)
def test_other_outputs_are_refused(outputs):
    with pytest.raises(InputError, match=r"no head is known whose outputs are out0 "):
        told(*(logits(*shape) for shape in outputs))


def test_labels_of_another_number_do_not_fit():
    with pytest.raises(InputError, match=r"no head is known"):
        told(logits(1, 21, HEIGHT, WIDTH), labels=20)


def test_what_was_taken_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        told(logits(1, 21, HEIGHT, WIDTH))
    assert "taken to be scores: A map of scores for each class" in caplog.text


@pytest.mark.parametrize(("name", "per_cell", "numbers"), [("yolov8-seg", 1, 4), ("yolov5-seg", 3, 5)])
@pytest.mark.parametrize("classes", [1, 80])
def test_rows_with_coefficients_of_prototypes(name, per_cell, numbers, classes):
    cells = per_cell * sum(HEIGHT * WIDTH // stride**2 for stride in (8, 16, 32))
    rows = np.concatenate(
        [logits(1, cells, 4), DRAW.random((1, cells, numbers - 4 + classes)), logits(1, cells, 32)], axis=2
    ).astype(np.float32)
    prototypes = logits(1, 32, HEIGHT // 4, WIDTH // 4)
    for table, arrangement in ((rows, Arrangement.ROWS), (rows.transpose(0, 2, 1), Arrangement.COLUMNS)):
        layout, part, spec = told(table, prototypes)
        head = spec.head.boxes.head
        assert (layout, part.output, head.coefficients) == (name, "out1", 32)
        assert head.parts[0].arrangement is arrangement
    with pytest.raises(InputError):
        told(rows, prototypes, labels=classes + 1)


def split_boxes(count, columns, *, prototypes, corners=False, names=("loc", "conf", "mask", "proto")):
    """What a network with boxes and masks gives, an output each, ``columns`` scores that add up to 1."""
    boxes = logits(1, count, 4)
    if corners:
        boxes = np.sort(DRAW.random((1, count, 2, 2)) * 60, axis=2).reshape(1, count, 4).astype(np.float32)
    tables = boxes, shares(1, count, columns, axis=2), np.tanh(logits(1, count, 8)), prototypes
    return dict(zip(names, tables, strict=True))


ANCHORS = 3 * sum(-(-HEIGHT // stride) * -(-WIDTH // stride) for stride in (8, 16, 32, 64, 128))


@pytest.mark.parametrize("channels", list(Channels))
def test_yolacts_outputs_before_their_decoding(channels):
    prototypes = logits(1, 8, HEIGHT // 4, WIDTH // 4)
    prototypes = prototypes if channels is Channels.FIRST else prototypes.transpose(0, 2, 3, 1)
    outputs = split_boxes(ANCHORS, 21, prototypes=prototypes) | {"priors": logits(ANCHORS, 4)}
    layout, part, spec = told(*outputs.values(), names=list(outputs), labels=20)
    head = spec.head.boxes.head
    assert (layout, part.output, part.channels) == ("yolact", "proto", channels)
    assert (head.background, head.scores, head.coefficients, head.coefficient_tanh) == (0, Scores.NONE, 8, False)
    assert [level.stride for level in head.levels] == [8, 16, 32, 64, 128]
    assert head.levels[1].anchors[0] == pytest.approx((48 * WIDTH / 550,) * 2)
    outputs |= {"conf": logits(1, ANCHORS, 21), "mask": logits(1, ANCHORS, 8)}
    head = told(*outputs.values(), names=list(outputs))[2].head.boxes.head
    assert (head.scores, head.coefficient_tanh) == (Scores.SOFTMAX, True)
    with pytest.raises(InputError, match="no head is known"):
        told(*outputs.values(), names=list(outputs), labels=21)


def test_decoded_boxes_with_coefficients_in_an_output_of_their_own():
    outputs = split_boxes(50, 3, prototypes=logits(1, 8, 16, 24), corners=True)
    layout, _, spec = told(*outputs.values(), names=list(outputs), labels=3)
    head = spec.head.boxes.head
    assert (layout, head.coding, head.unit, head.background) == ("decoded-seg", BoxCoding.CORNERS, Unit.PIXELS, None)
    head = told(*outputs.values(), names=list(outputs))[2].head.boxes.head
    assert head.background == 0


def test_of_outputs_of_one_shape_names_tell_the_boxes():
    prototypes = logits(1, 4, 16, 24)
    outputs = split_boxes(50, 4, prototypes=prototypes, corners=True) | {"mask": np.tanh(logits(1, 50, 4))}
    spec = told(*outputs.values(), names=list(outputs))[2]
    assert [part.outputs[0] for part in spec.head.boxes.head.parts] == ["loc", "conf", "mask"]
    with pytest.raises(InputError, match="no head is known"):
        told(*outputs.values(), names=["a", "b", "c", "d"])


def test_a_distance_beside_a_foreground_parts_things():
    layout, part, spec = told(logits(1, 1, 16, 24), logits(1, 1, 16, 24), names=["nuclei", "distance_map"])
    assert (layout, part.output, spec.head.maps[1].output) == ("distances", "nuclei", "distance_map")
    assert spec.head.maps[1].fields == (MapField.DISTANCE,)
    assert spec.head.tells_apart


@pytest.mark.parametrize(("seen", "background"), [((1, 1, 16, 24), 0), ((1, 2, 16, 24), 0), ((1, 5, 16, 24), 0)])
def test_embeddings_beside_a_foreground_are_clustered(seen, background):
    layout, part, spec = told(logits(*seen), logits(1, 8, 16, 24), names=["binary_seg", "instance_embedding"])
    assert (layout, part.output, spec.head.maps[1].output) == ("embeddings", "binary_seg", "instance_embedding")
    assert spec.head.maps[1].fields == (MapField.EMBEDDING,)
    assert spec.head.tells_apart
    assert spec.head.background_class == background
    with pytest.raises(InputError, match="no head is known"):
        told(logits(*seen), logits(1, 8, 16, 24), names=["one", "other"])
