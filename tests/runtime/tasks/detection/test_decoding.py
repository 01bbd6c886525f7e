"""Each coding of boxes beside a loop over cells and anchors that is written from its definition."""

import math

import numpy as np
import pytest

from edgevision.core.errors import ModelFileError
from edgevision.runtime.tasks.detection.decoding import candidates, priors
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
    Unit,
)

HEIGHT, WIDTH = 48, 80
LEVELS = (Level(stride=8, anchors=((10.0, 20.0), (16.0, 8.0))), Level(stride=16, anchors=((32.0, 64.0), (40.0, 24.0))))
PLAIN = tuple(Level(stride=level.stride) for level in LEVELS)
CLASSES = 3


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def places(levels):
    """(stride, row, column, anchor) of every row, anchors innermost."""
    for level in levels:
        for i in range(math.ceil(HEIGHT / level.stride)):
            for j in range(math.ceil(WIDTH / level.stride)):
                for anchor in level.anchors or ((level.stride, level.stride),):
                    yield level.stride, i, j, anchor


def rows_of(levels):
    return len(list(places(levels)))


def decoded(head, outputs, min_score=0.0):
    rows = gather_rows(head, outputs, HEIGHT, WIDTH)
    return candidates(head, rows, HEIGHT, WIDTH, min_score=min_score, multi_label=False)


def table(count, columns, seed=0):
    return np.random.default_rng(seed).normal(0, 0.7, (1, count, columns)).astype(np.float32)


def one_table(coding, levels, **more):
    return HeadSpec(
        parts=(OutputPart(outputs=("boxes",), fields=(Field.BOX,)), OutputPart(outputs=("s",), fields=(Field.SCORES,))),
        coding=coding,
        levels=levels,
        scores=Scores.SIGMOID,
        **more,
    )


def from_center(x, y, w, h):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def expected_box(coding, t, stride, i, j, anchor, offset):
    x, y = (j + offset) * stride, (i + offset) * stride
    w, h = anchor
    if coding is BoxCoding.PRIORS:
        center = x + 0.1 * t[0] * w, y + 0.1 * t[1] * h
        return from_center(*center, w * math.exp(0.2 * t[2]), h * math.exp(0.2 * t[3]))
    if coding is BoxCoding.SHIFTS:
        return from_center(x + t[0], y + t[1], t[2], t[3])
    if coding is BoxCoding.YOLO_EXP:
        size = w * math.exp(t[2]), h * math.exp(t[3])
        return from_center(x + stride * sigmoid(t[0]), y + stride * sigmoid(t[1]), *size)
    if coding is BoxCoding.YOLO_SQUARE:
        center = x + stride * (2 * sigmoid(t[0]) - 0.5), y + stride * (2 * sigmoid(t[1]) - 0.5)
        return from_center(*center, w * (2 * sigmoid(t[2])) ** 2, h * (2 * sigmoid(t[3])) ** 2)
    if coding is BoxCoding.CELLS:
        return from_center(x + stride * t[0], y + stride * t[1], stride * math.exp(t[2]), stride * math.exp(t[3]))
    return [x - stride * t[0], y - stride * t[1], x + stride * t[2], y + stride * t[3]]


@pytest.mark.parametrize(
    ("coding", "levels", "offset"),
    [
        (BoxCoding.PRIORS, LEVELS, 0.5),
        (BoxCoding.SHIFTS, LEVELS, 0.5),
        (BoxCoding.YOLO_EXP, LEVELS, 0.0),
        (BoxCoding.YOLO_SQUARE, LEVELS, 0.0),
        (BoxCoding.CELLS, PLAIN, 0.0),
        (BoxCoding.DISTANCES, PLAIN, 0.5),
    ],
)
def test_every_coding_gives_the_boxes_of_its_definition(coding, levels, offset):
    count = rows_of(levels)
    boxes, scores = table(count, 4), table(count, CLASSES, seed=1)
    unit = Unit.STRIDES if coding is BoxCoding.DISTANCES else Unit.PIXELS
    found = decoded(one_table(coding, levels, cell_offset=offset, unit=unit), {"boxes": boxes, "s": scores})
    expected = [
        expected_box(coding, t, *place, offset) for t, place in zip(boxes[0].tolist(), places(levels), strict=True)
    ]
    np.testing.assert_allclose(found.boxes, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.classes, scores[0].argmax(1))
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-scores[0].max(1))), rtol=1e-5)


@pytest.mark.parametrize(
    ("coding", "numbers"),
    [
        (BoxCoding.CORNERS, (8, 6, 40, 30)),
        (BoxCoding.YX_CORNERS, (6, 8, 30, 40)),
        (BoxCoding.CENTER, (24, 18, 32, 24)),
        (BoxCoding.ORIGIN, (8, 6, 32, 24)),
    ],
)
@pytest.mark.parametrize("unit", [Unit.PIXELS, Unit.INPUT])
def test_decoded_boxes_are_taken_as_they_are(coding, numbers, unit):
    sides = (HEIGHT, WIDTH) * 2 if coding is BoxCoding.YX_CORNERS else (WIDTH, HEIGHT) * 2
    box = np.array([[numbers]], np.float32) / (np.array(sides) if unit is Unit.INPUT else 1)
    outputs = {"boxes": box.astype(np.float32), "s": np.array([[[0.1, 3.0]]], np.float32)}
    found = decoded(one_table(coding, (), unit=unit), outputs)
    np.testing.assert_allclose(found.boxes, [[8, 6, 40, 30]], rtol=1e-5)


def test_the_side_of_a_distribution_is_its_expectation():
    count, bins = rows_of(PLAIN), 8
    boxes, scores = table(count, 4 * bins), table(count, 1, seed=2)
    head = one_table(BoxCoding.DISTANCES, PLAIN, bins=bins, unit=Unit.STRIDES)
    found = decoded(head, {"boxes": boxes, "s": scores})
    row = 7
    stride, i, j, _ = list(places(PLAIN))[row]
    shares = [np.exp(part) / np.exp(part).sum() for part in boxes[0, row].reshape(4, bins).astype(float)]
    left, top, right, bottom = (stride * float(np.arange(bins) @ share) for share in shares)
    x, y = (j + 0.5) * stride, (i + 0.5) * stride
    np.testing.assert_allclose(found.boxes[row], [x - left, y - top, x + right, y + bottom], rtol=1e-5)


@pytest.mark.parametrize("arrangement", [Arrangement.NCHW, Arrangement.NHWC, Arrangement.ANCHORS])
@pytest.mark.parametrize("anchors_last", [True, False])
def test_maps_of_levels_give_the_rows_of_a_flat_list(arrangement, anchors_last):
    columns, maps, flat = 4 + 1 + CLASSES, {}, []
    for index, level in enumerate(LEVELS):
        rows, cols = math.ceil(HEIGHT / level.stride), math.ceil(WIDTH / level.stride)
        values = np.random.default_rng(index).normal(size=(2, rows, cols, columns)).astype(np.float32)
        stacked = values.transpose(0, 3, 1, 2).reshape(2 * columns, rows, cols)
        maps[f"p{index}"] = {
            Arrangement.NCHW: stacked,
            Arrangement.NHWC: stacked.transpose(1, 2, 0),
            Arrangement.ANCHORS: values,
        }[arrangement][None]
        ordered = values.transpose(1, 2, 0, 3) if anchors_last else values
        flat.append(ordered.reshape(-1, columns))
    fields = (Field.BOX, Field.OBJECTNESS, Field.SCORES)
    shared = {
        "coding": BoxCoding.YOLO_SQUARE,
        "levels": LEVELS,
        "scores": Scores.SIGMOID,
        "objectness": Scores.SIGMOID,
        "anchors_last": anchors_last,
    }
    mapped = HeadSpec(parts=(OutputPart(outputs=("p0", "p1"), fields=fields, arrangement=arrangement),), **shared)
    listed = HeadSpec(parts=(OutputPart(outputs=("rows",), fields=fields),), **shared)
    one, other = decoded(mapped, maps), decoded(listed, {"rows": np.concatenate(flat)[None]})
    assert len(one.boxes) == rows_of(LEVELS)
    for a, b in zip(one[:3], other[:3], strict=True):
        np.testing.assert_array_equal(a, b)


def test_columns_are_rows_turned():
    head = HeadSpec(
        parts=(OutputPart(outputs=("o",), fields=(Field.BOX, Field.SCORES), arrangement=Arrangement.COLUMNS),),
        coding=BoxCoding.CENTER,
    )
    rows = np.array([[20, 20, 10, 10, 0.2, 0.7], [40, 30, 4, 8, 0.9, 0.1]], np.float32)
    found = decoded(head, {"o": rows.T[None]})
    np.testing.assert_allclose(found.boxes, [[15, 15, 25, 25], [38, 26, 42, 34]])
    assert found.classes.tolist() == [1, 0]


def test_a_background_is_no_class_and_softmax_runs_over_it():
    head = one_table(BoxCoding.CORNERS, ()).updated(scores=Scores.SOFTMAX, background=0)
    outputs = {"boxes": np.tile([1, 2, 3, 4], (1, 2, 1)), "s": np.array([[[0, 1, 2], [9, 0, 0]]])}
    found = decoded(head, {name: array.astype(np.float32) for name, array in outputs.items()}, min_score=0.3)
    assert found.classes.tolist() == [1]
    assert found.scores[0] == pytest.approx(math.exp(2) / (1 + math.e + math.exp(2)), rel=1e-5)


@pytest.mark.parametrize(("geometric", "expected"), [(False, 0.32), (True, math.sqrt(0.32))])
def test_objectness_multiplies_the_score(geometric, expected):
    fields = (Field.BOX, Field.OBJECTNESS, Field.SCORES)
    head = HeadSpec(parts=(OutputPart(outputs=("o",), fields=fields),), geometric=geometric)
    found = decoded(head, {"o": np.array([[[0, 0, 9, 9, 0.4, 0.8]]], np.float32)})
    assert found.scores[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("activation", list(Scores))
@pytest.mark.parametrize(("background", "geometric"), [(None, False), (0, False), (-1, True)])
@pytest.mark.parametrize("multi_label", [False, True])
def test_rows_that_are_not_looked_at_closely_have_no_answer(activation, background, geometric, multi_label):
    """What a high least score leaves is what is left of everything by that score."""
    fields = (Field.BOX, Field.OBJECTNESS, Field.SCORES)
    head = HeadSpec(
        parts=(OutputPart(outputs=("o",), fields=fields),),
        scores=activation,
        objectness=Scores.NONE if activation is Scores.NONE else Scores.SIGMOID,
        background=background,
        geometric=geometric,
    )
    generator = np.random.default_rng(3)
    table = generator.uniform(0, 1, (500, 9))
    if activation is not Scores.NONE:
        table[:, 4:] = generator.normal(0, 3, (500, 5))
    table[7, 5] = np.nan
    rows = gather_rows(head, {"o": table[None].astype(np.float32)}, HEIGHT, WIDTH)
    everything = candidates(head, rows, HEIGHT, WIDTH, min_score=0.0, multi_label=multi_label)
    for least in (0.3, 0.6):
        found = candidates(head, rows, HEIGHT, WIDTH, min_score=least, multi_label=multi_label)
        likely = everything.scores >= least
        assert 0 < likely.sum() < len(likely)
        np.testing.assert_array_equal(found.scores, everything.scores[likely])
        np.testing.assert_array_equal(found.classes, everything.classes[likely])
        np.testing.assert_array_equal(found.boxes, everything.boxes[likely])


def test_of_a_heat_map_only_peaks_count():
    levels = (Level(stride=4),)
    rows, columns = HEIGHT // 4, WIDTH // 4
    heat = np.zeros((1, 2, rows, columns), np.float32)
    heat[0, 0, 3, 5], heat[0, 0, 3, 6], heat[0, 1, 8, 2] = 0.9, 0.8, 0.7
    size, offset = np.full((1, 2, rows, columns), 5.0), np.full((1, 2, rows, columns), 0.25)
    nchw = Arrangement.NCHW
    head = HeadSpec(
        parts=(
            OutputPart(outputs=("heat",), fields=(Field.SCORES,), arrangement=nchw),
            OutputPart(outputs=("size",), fields=(Field.SIZE,), arrangement=nchw),
            OutputPart(outputs=("offset",), fields=(Field.OFFSET,), arrangement=nchw),
        ),
        coding=BoxCoding.CENTERS,
        unit=Unit.STRIDES,
        levels=levels,
        cell_offset=0.0,
        peaks=True,
    )
    outputs = {"heat": heat, "size": size.astype(np.float32), "offset": offset.astype(np.float32)}
    found = decoded(head, outputs, min_score=0.3)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    x, y = 4 * 5.25, 4 * 3.25
    np.testing.assert_allclose(found.boxes[0], [x - 10, y - 10, x + 10, y + 10])


def test_nms_in_the_graph_gives_as_many_as_it_says():
    head = HeadSpec(
        parts=(
            OutputPart(outputs=("boxes",), fields=(Field.BOX,)),
            OutputPart(outputs=("scores",), fields=(Field.SCORE,)),
            OutputPart(outputs=("classes",), fields=(Field.CLASS,)),
            OutputPart(outputs=("count",), fields=(Field.COUNT,)),
        ),
        coding=BoxCoding.YX_CORNERS,
        unit=Unit.INPUT,
    )
    outputs = {
        "boxes": np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]], np.float32),
        "scores": np.array([[0.9, 0.8, 0.0]], np.float32),
        "classes": np.array([[2, 0, 0]], np.float32),
        "count": np.array([2], np.int32),
    }
    found = decoded(head, outputs)
    np.testing.assert_allclose(found.boxes, [[0, 0, 40, 24], [40, 24, 80, 48]])
    assert found.classes.tolist() == [2, 0]


def test_points_are_coded_like_the_centre():
    fields = (Field.BOX, Field.POINTS)
    head = HeadSpec(
        parts=(OutputPart(outputs=("o",), fields=fields), OutputPart(outputs=("s",), fields=(Field.SCORES,))),
        coding=BoxCoding.PRIORS,
        levels=LEVELS,
        points=2,
    )
    count = rows_of(LEVELS)
    values = table(count, 8)
    found = decoded(head, {"o": values, "s": np.ones((1, count, 1), np.float32)})
    row = 11
    stride, i, j, (w, h) = list(places(LEVELS))[row]
    t = values[0, row, 4:].reshape(2, 2)
    expected = [[(j + 0.5) * stride + 0.1 * x * w, (i + 0.5) * stride + 0.1 * y * h] for x, y in t]
    np.testing.assert_allclose(found.points[row], expected, rtol=1e-5)


def test_what_is_not_finite_is_no_box():
    outputs = {
        "boxes": np.array([[[0, 0, 9, 9], [0, 0, np.nan, 9], [0, 0, 9, 9]]], np.float32),
        "s": np.array([[[2.0], [2.0], [np.nan]]], np.float32),
    }
    assert len(decoded(one_table(BoxCoding.CORNERS, ()), outputs).boxes) == 1


@pytest.mark.parametrize(
    ("shapes", "rule"),
    [
        ({"boxes": (1, 10, 4), "s": (1, 10, 3)}, r"150 rows .* and box has 10"),
        ({"boxes": (1, 150, 5), "s": (1, 150, 3)}, r"boxes has 5 columns, and box take 4"),
        ({"boxes": (2, 150, 4), "s": (1, 150, 3)}, r"\(2, 150, 4\), which is no rows of one picture"),
        ({"s": (1, 150, 3)}, r"takes the output 'boxes', and the network has 's'"),
    ],
)
def test_a_head_that_does_not_fit_the_outputs_is_refused(shapes, rule):
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(ModelFileError, match=rule):
        decoded(one_table(BoxCoding.PRIORS, LEVELS), outputs)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"coding": BoxCoding.PRIORS}, "levels"),
        ({"coding": BoxCoding.YOLO_EXP, "levels": PLAIN}, "anchors at each level"),
        ({"bins": 4}, "bins are those of distances"),
        ({"points": 5}, "points is how many there are"),
        ({"parts": ()}, "have box, not nothing"),
        ({"coding": BoxCoding.CENTERS}, "have offset, size, not box, scores"),
    ],
)
def test_a_head_that_cannot_be_is_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        one_table(BoxCoding.CORNERS, ()).updated(**change)


def test_cells_that_share_the_input_evenly():
    """Of 100 pixels in strides of 64 there are two cells, of 50 pixels or of 64."""
    parts = (OutputPart(outputs=("rows",), fields=(Field.BOX, Field.SCORES)),)
    levels = (Level(stride=64, anchors=((10, 10),)),)
    for even, middles in ((True, [25, 75]), (False, [32, 96])):
        head = HeadSpec(parts=parts, coding=BoxCoding.PRIORS, levels=levels, even_cells=even)
        assert priors(head, 64, 100).centers[:, 0].tolist() == middles
