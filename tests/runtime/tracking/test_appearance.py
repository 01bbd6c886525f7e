"""Things that are told apart by how they look."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.appearance import color_histograms, embeddings_of
from edgevision.runtime.tracking.tracker import Tracker

RED, BLUE, SIDE = (200, 30, 30), (30, 30, 200), 20


def frame_of(things):
    """Pixels and boxes of squares: colour and left edge of each, all in one row."""
    pixels = np.full((60, 200, 3), 90, np.uint8)
    for color, left in things:
        pixels[20 : 20 + SIDE, left : left + SIDE] = color
    boxes = np.array([(left, 20, left + SIDE, 20 + SIDE) for _, left in things], np.float32).reshape(-1, 4)
    return pixels, boxes


def ids_over(way, *, by_looks):
    """The ids that red and blue have in the last frame in which both are, by their ids in the first one."""
    tracker, seen = Tracker(), []
    for things in way:
        pixels, boxes = frame_of(things)
        count = len(boxes)
        found = Detections(boxes, np.full(count, 0.9, np.float32), np.zeros(count, np.int64), size=(60, 200))
        tracks = tracker(found, looks=color_histograms(pixels, boxes) if by_looks else None)
        order = [int(np.abs(tracks.found.boxes[:, 0] - box[0]).argmin()) for box in boxes]
        seen.append([int(tracks.ids[index]) for index in order])
    return seen[0], seen[-1]


def test_colours_tell_whether_two_have_changed_places_where_nobody_saw():
    """They come near, are hidden, and turn back: by their motion alone they would have passed each other."""
    near = [[(RED, 40 + 4 * step), (BLUE, 140 - 4 * step)] for step in range(9)]
    back = [[(RED, 72 - 4 * step), (BLUE, 108 + 4 * step)] for step in range(3)]
    way = [*near, *[[]] * 10, *back]
    before, after = ids_over(way, by_looks=False)
    assert after == before[::-1]
    before, after = ids_over(way, by_looks=True)
    assert after == before


def test_what_was_lost_is_found_where_it_overlaps_nothing_that_is_expected():
    stands = [[(RED, 60)]] * 6
    jumps = [*stands, *[[]] * 4, *[[(RED, 90)]] * 3]
    before, after = ids_over(jumps, by_looks=True)
    assert after == before == [1]
    other = [*stands, *[[]] * 4, *[[(BLUE, 90)]] * 3]
    assert ids_over(other, by_looks=True)[1] == [2]
    far = [*stands, *[[]] * 4, *[[(RED, 170)]] * 3]
    assert ids_over(far, by_looks=True)[1] == [2]


def test_histograms_are_of_the_middle_of_a_box():
    pixels, boxes = frame_of([(RED, 20), (BLUE, 80), (RED, 140)])
    looks = color_histograms(pixels, boxes)
    assert np.allclose((looks**2).sum(axis=1), 1)
    assert np.allclose(looks @ looks.T, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    outside = np.array([(-30, -30, -10, -10), (190, 50, 400, 400)], np.float32)
    assert np.allclose((color_histograms(pixels, outside) ** 2).sum(axis=1), 1)


def test_a_models_numbers_are_looks():
    describe = embeddings_of(lambda crops: [crop.mean(axis=(0, 1)) for crop in crops])
    pixels, boxes = frame_of([(RED, 20), (BLUE, 80)])
    looks = describe(pixels, boxes)
    assert np.allclose(np.linalg.norm(looks, axis=1), 1)
    assert looks[0] @ looks[1] < 0.5
    assert len(describe(pixels, boxes[:0])) == 0
