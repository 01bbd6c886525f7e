"""Pictures that are varied keep their boxes where the things are."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.training.detection_augmentation import (
    GRAY,
    BoxedPicture,
    draw_example,
    mirrored,
    moved_boxes,
    overlaid,
    recoloured,
    warped,
    without_cuts,
)
from edgevision.training.settings import DetectionSettings

SIZE = (96, 128)


def settings(**changes: Any) -> DetectionSettings:
    return DetectionSettings(data="squares", **({"mosaic": 0.0, "mixup": 0.0, "colour": 0.0} | changes))


def squares(seed: int) -> BoxedPicture:
    """White boxes on black that do not touch each other, of 10 to 20 pixels."""
    generator = np.random.default_rng(seed)
    height, width = generator.integers(60, 140, 2)
    pixels = np.zeros((height, width, 3), np.uint8)
    boxes = []
    for x in range(2, width - 26, 30):
        for y in range(2, height - 26, 30):
            if generator.random() < 0.5:
                w, h = generator.integers(10, 21, 2)
                pixels[y : y + h, x : x + w] = 255
                boxes.append((x, y, x + w, y + h))
    table = np.array(boxes, np.float32).reshape(-1, 4)
    return BoxedPicture(pixels, table, np.arange(len(table)) % 3)


def white_inside(example: BoxedPicture) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where it is white, and where a box is."""
    covered = np.zeros(example.pixels.shape[:2], bool)
    for x1, y1, x2, y2 in example.boxes:
        covered[max(0, int(np.floor(y1))) : int(np.ceil(y2)), max(0, int(np.floor(x1))) : int(np.ceil(x2))] = True
    return example.pixels.min(axis=2) > 200, covered


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"turn": True},
        {"mosaic": 1.0},
        {"mosaic": 1.0, "turn": True, "zoom": (0.3, 3.0)},
        {"rotate": 20.0},
        {"zoom": (0.2, 5.0)},
    ],
    ids=str,
)
def test_what_is_white_is_in_a_box_and_boxes_end_where_the_white_does(changes: dict[str, Any]) -> None:
    chosen = settings(**changes)
    generator = np.random.default_rng(0)
    seen = 0
    for seed in range(40):
        pictures: Iterator[BoxedPicture] = (squares(seed * 10 + each) for each in range(9))
        example = draw_example(pictures, SIZE, chosen, generator, plain=False)
        assert example.pixels.shape == (*SIZE, 3)
        assert example.boxes.dtype == np.float32
        assert len(example.boxes) == len(example.labels)
        white, covered = white_inside(example)
        assert not (white & ~covered).any()
        assert (example.boxes[:, :2] >= 0).all()
        assert (example.boxes[:, 2:] <= (SIZE[1], SIZE[0])).all()
        assert (example.boxes[:, 2:] > example.boxes[:, :2]).all()
        for (x1, y1, x2, y2), label in zip(example.boxes, example.labels, strict=True):
            if label < 0 or min(x2 - x1, y2 - y1) < 6 or chosen.rotate:
                continue
            seen += 1
            inner = white[int(np.ceil(y1)) + 1 : int(y2) - 1, int(np.ceil(x1)) + 1 : int(x2) - 1]
            assert inner.mean() > 0.9
    assert seen > 20 or chosen.rotate


def test_four_quarter_turns_are_none_and_each_moves_the_boxes_along() -> None:
    picture = squares(3)
    turns = {mirrored(picture, settings(turn=True), np.random.default_rng(seed)).pixels.tobytes() for seed in range(60)}
    assert len(turns) == 8
    for seed in range(20):
        turned = mirrored(picture, settings(turn=True), np.random.default_rng(seed))
        for (x1, y1, x2, y2), label in zip(turned.boxes.astype(int), turned.labels, strict=True):
            assert (turned.pixels[y1:y2, x1:x2] == 255).all()
            assert label in (0, 1, 2)


def test_nothing_changes_where_nothing_is_to() -> None:
    picture = squares(5)
    height, width = picture.pixels.shape[:2]
    same = warped(picture, np.eye(2, 3, dtype=np.float32), (0, 0, width, height))
    assert np.array_equal(same.pixels, picture.pixels)
    assert np.array_equal(same.boxes, picture.boxes)
    assert np.array_equal(same.labels, picture.labels)
    assert recoloured(picture.pixels, 0.0, np.random.default_rng(0)) is picture.pixels


def test_a_box_of_which_too_little_is_left_is_neither_to_be_found_nor_not() -> None:
    boxes = np.array([[0, 0, 20, 20], [30, 30, 40, 40]], np.float32)
    picture = BoxedPicture(np.zeros((40, 40, 3), np.uint8), boxes, np.array([1, 2]))
    shifted = np.array([[1, 0, -17], [0, 1, 0]], np.float32)
    found = warped(picture, shifted, (0, 0, 20, 25))
    assert found.labels.tolist() == [-1]
    assert found.boxes.tolist() == [[0, 0, 3, 20]]
    assert found.pixels.shape == (25, 20, 3)


def test_what_lies_beside_the_picture_is_gray() -> None:
    picture = BoxedPicture(np.full((10, 10, 3), 255, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    found = warped(picture, np.array([[1, 0, 5], [0, 1, 5]], np.float32), (0, 0, 20, 20))
    assert (found.pixels[:5] == GRAY).all()
    assert (found.pixels[5:15, 5:15] == 255).all()


def test_boxes_that_a_crop_would_cut_are_taken_in_whole_where_that_shrinks_little() -> None:
    boxes = np.array([[-3, 10, 8, 20], [60, 60, 101, 80]], np.float32)
    place = (0, 0, 100, 100)
    matrix = np.eye(2, 3, dtype=np.float32)
    whole = without_cuts(matrix, boxes, place)
    moved = moved_boxes(boxes, whole)
    assert (moved >= -1e-4).all()
    assert (moved <= 100.0001).all()
    assert 0.7 <= whole[0, 0] == whole[1, 1] < 1
    outside = np.array([[-90, 10, 8, 20]], np.float32)
    assert without_cuts(matrix, outside, place) is matrix
    assert np.allclose(without_cuts(matrix, boxes[:0], place), matrix)


def test_a_picture_laid_over_another_brings_its_boxes_along() -> None:
    first = BoxedPicture(np.full((8, 8, 3), 200, np.uint8), np.array([[0, 0, 4, 4]], np.float32), np.array([0]))
    second = BoxedPicture(np.full((8, 8, 3), 100, np.uint8), np.array([[2, 2, 8, 8]], np.float32), np.array([1]))
    mixed = overlaid(first, second, 0.75)
    assert (mixed.pixels == 175).all()
    assert mixed.boxes.tolist() == [[0, 0, 4, 4], [2, 2, 8, 8]]
    assert mixed.labels.tolist() == [0, 1]


def test_colours_change_within_their_range_and_shapes_do_not() -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(60, 190, (32, 32, 3)).astype(np.uint8)
    changed = [recoloured(pixels, 0.3, generator) for _ in range(20)]
    assert all(one.shape == pixels.shape and one.dtype == np.uint8 for one in changed)
    means = [float(one.mean()) for one in changed]
    assert np.ptp(means) > 10
    assert max(abs(mean - pixels.mean()) for mean in means) < 0.3 * 255 / 2 + 30
    correlation = [np.corrcoef(one.ravel(), pixels.ravel())[0, 1] for one in changed]
    assert min(correlation) > 0.7


def test_the_same_seed_draws_the_same_example() -> None:
    chosen = settings(mosaic=0.5, mixup=0.5, colour=0.3, turn=True)
    drawn = [draw_example(repeat(squares(1)), SIZE, chosen, np.random.default_rng(7), plain=False) for _ in range(2)]
    assert np.array_equal(drawn[0].pixels, drawn[1].pixels)
    assert np.array_equal(drawn[0].boxes, drawn[1].boxes)
