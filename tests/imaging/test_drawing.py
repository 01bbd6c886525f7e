import itertools
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from edgevision.imaging.drawing import Marker, class_color, indices_apart, with_legend


def test_areas_that_touch_have_colours_of_their_own():
    ids = np.zeros((20, 240), int)
    for number in range(1, 23):  # of the 22nd on colours come again
        ids[2:8, 10 * number - 8 : 10 * number - 2] = number
    ids[8:12, 2:8] = 22
    indices = indices_apart(ids, 22)
    assert indices[:21] == list(range(21))
    assert indices[21] == 1
    assert class_color(indices[21]) != class_color(indices[0])


def test_colours_of_classes_are_stable_and_differ():
    colors = [class_color(index) for index in range(21)]
    assert len(set(colors)) == 21
    assert colors[3] == class_color(3)


def test_the_picture_that_is_drawn_on_stays_as_it_was():
    image = Image.new("RGB", (60, 40), (10, 20, 30))
    marker = Marker(image)
    marker.box((5, 5, 30, 30), (255, 0, 0))
    marker.label((5, 5, 30, 30), "thing", (255, 0, 0))
    marker.points([(40, 20)], (0, 255, 0))
    marker.areas(np.ones((40, 60), np.int32), [(0, 0, 255)])
    assert image.getcolors() == [(60 * 40, (10, 20, 30))]
    assert len(marker.image.getcolors(10_000)) > 3


@pytest.mark.parametrize("size", [(32, 24), (320, 240), (4000, 3000)])
def test_lines_and_letters_follow_the_size(size):
    marker = Marker(Image.new("RGB", size))
    marker.box((2, 2, size[0] - 3, size[1] - 3), (255, 255, 255))
    share = (np.asarray(marker.image) > 0).any(axis=2).mean()
    assert 0.01 < share < 0.3


def test_labels_of_things_side_by_side_do_not_lie_on_each_other():
    marker = Marker(Image.new("RGB", (640, 480)))
    boxes = [(x, y, x + 90, y + 70) for x in range(20, 500, 100) for y in range(20, 380, 80)]
    for box in boxes:
        marker.label(box, "apple 97", (255, 255, 0))
    for one, other in itertools.combinations(marker._taken, 2):
        width = min(one[2], other[2]) - max(one[0], other[0])
        height = min(one[3], other[3]) - max(one[1], other[1])
        assert min(width, height) <= 0
    for place in marker._taken:
        assert min(place) >= 0
        assert (place[2], place[3]) <= (640, 480)


def test_thousands_of_labels_end_where_text_has_its_share():
    marker = Marker(Image.new("RGB", (400, 300)), thing=10)
    letters = Marker(Image.new("RGB", (400, 300)), thing=10)
    for index, (x, y) in enumerate(np.random.default_rng(0).uniform(0, (395, 295), (5000, 2))):
        marker.label((x, y, x + 5, y + 5), "thing", (255, 255, 255))
        if index < 500:
            letters.label((x, y, x + 5, y + 5), "thing", (255, 255, 255))
    assert marker.image.tobytes() == letters.image.tobytes()
    # A third, and what rounding to whole pixels adds at the edges of each.
    assert 0.3 < (np.asarray(marker.image.convert("L")) > 0).mean() < 0.37


def test_a_box_at_the_edge_has_its_label_inside():
    marker = Marker(Image.new("RGB", (100, 80)))
    marker.label((-20, -20, 30, 5), "an edge", (255, 255, 0))
    x1, y1, x2, y2 = marker._taken[0]
    assert min(x1, y1) >= 0
    assert x2 <= 100
    assert y2 <= 80


def test_names_never_hide_a_small_picture():
    marker = Marker(Image.new("RGB", (64, 48)))
    for row in range(20):
        marker.label((row, row, row + 20, row + 20), "cell 50", (255, 255, 0))
    assert 0 < (np.asarray(marker.image) > 0).any(axis=2).mean() < 0.4
    tiny = Marker(Image.new("RGB", (32, 24)))
    tiny.label((4, 4, 12, 12), "cell 50", (255, 255, 0))
    assert not np.asarray(tiny.image).any()


def test_a_legend_is_whole_below_a_picture_that_is_smaller():
    small = Image.new("RGB", (32, 20), (9, 9, 9))
    whole = with_legend(small, [("person 17.4 %", (255, 0, 0)), ("cat", (0, 255, 0))])
    assert whole.crop((0, 0, 32, 20)).tobytes() == small.tobytes()
    assert whole.crop((whole.width - 4, 0, *whole.size)).getcolors() == [(4 * whole.height, (255, 255, 255))]


def test_tinting_a_large_picture_takes_little_beside_it():
    marker, ids = Marker(Image.new("RGB", (2000, 1500))), np.ones((1500, 2000), np.uint8)
    tracemalloc.start()
    try:
        marker.areas(ids, [(200, 100, 0)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * ids.nbytes * 3  # all of it in float32 alone is 4 times that, and there would be several
