"""Charts have round ticks, and labels that do not stand on each other."""

import itertools
import random

import pytest

from edgevision.core.drawing import CHARACTER, WIDTH, Box, place_labels, round_values, short


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.93, 1.71, ["1", "1.2", "1.4", "1.6"]),
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (-0.39, 0.41, ["-0.2", "0", "0.2", "0.4"]),
        (1e-7, 4e-7, ["1e-07", "2e-07", "3e-07", "4e-07"]),
        (17, 36, ["20", "25", "30", "35"]),
        (3, 3, []),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [short(value) for value in round_values(low, high)] == expected


@pytest.mark.parametrize("most", [4, 5, 6])
def test_ticks_lie_inside_and_are_few(most: int) -> None:
    generator = random.Random(0)
    for _ in range(200):
        low = generator.uniform(-10, 10) ** 3
        high = low + 10 ** generator.uniform(-6, 6)
        values = round_values(low, high, most)
        assert 1 <= len(values) <= most
        margin = 1e-6 * (high - low)
        assert all(low - margin <= value <= high + margin for value in values)


@pytest.mark.parametrize("seed", range(5))
def test_labels_cover_neither_each_other_nor_points(seed: int) -> None:
    generator = random.Random(seed)
    names = ["as given", "cleaned", "rewritten", "fp16", "int8-weights", "all int8", "int8"]
    # Close together in a corner, as forms that differ little.
    points = [(generator.uniform(300, 350), generator.uniform(10, 40)) for _ in names]
    area = Box(40, 0, WIDTH, 200)
    labels = place_labels(points, names, area)
    boxes = [label.box for label in labels if label is not None]
    assert [box.right - box.left for box in boxes] == pytest.approx([CHARACTER * len(name) for name in names])
    assert not any(one.meets(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(box.meets(Box(x - 3, y - 3, x + 3, y + 3)) for box in boxes for x, y in points)
    assert all(box.left >= area.left and box.right <= area.right and box.top >= area.top for box in boxes)
    leads = [label.lead for label in labels if label is not None and label.lead is not None]
    assert leads
    assert all((x1, y1) in points for x1, y1, _, _ in leads)


def test_a_label_with_room_stands_beside_its_point() -> None:
    (label,) = place_labels([(100, 50)], ["int8"], Box(0, 0, WIDTH, 100))
    assert label is not None
    assert (label.x, label.y, label.anchor, label.lead) == (107, 54, "start", None)


def test_a_label_at_the_right_edge_ends_at_its_point() -> None:
    (label,) = place_labels([(WIDTH - 10, 50)], ["int8"], Box(0, 0, WIDTH, 100))
    assert label is not None
    assert (label.x, label.y, label.anchor) == (WIDTH - 17, 54, "end")


def test_a_name_without_room_is_left_out() -> None:
    labels = place_labels([(150, 50)] * 3, ["int8 in OpenVINO"] * 3, Box(0, 40, WIDTH, 64))
    assert [label is None for label in labels] == [False, False, True]
