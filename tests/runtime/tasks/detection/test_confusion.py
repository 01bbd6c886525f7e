import numpy as np

from edgevision.metrics.average_precision import Found, Truth
from edgevision.runtime.tasks.detection.confusion import confusion, matches


def found(*rows):
    """(x, class, score) of boxes of 10 pixels."""
    table = np.array(rows, float).reshape(-1, 3)
    x = table[:, 0]
    return Found(np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=1), table[:, 2], table[:, 1].astype(np.int64))


def truth(*rows):
    """(x, class, ignored)."""
    table = np.array(rows, float).reshape(-1, 3)
    x = table[:, 0]
    boxes = np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=1)
    return Truth(boxes, table[:, 1].astype(np.int64), table[:, 2].astype(bool))


def test_things_are_found_taken_for_others_missed_and_seen_where_nothing_is():
    one = found((0, 0, 0.9), (40, 1, 0.8), (200, 1, 0.7), (300, 0, 0.1))
    things = truth((1, 0, 0), (40, 0, 0), (80, 1, 0), (300, 1, 0))
    assert confusion([one], [things], 2, 0.5).tolist() == [[1, 1, 0], [0, 0, 2], [0, 1, 0]]


def test_a_box_of_the_class_is_preferred_to_a_nearer_one_of_another():
    one = found((0, 1, 0.9), (2, 0, 0.6))
    things = truth((0, 0, 0))
    pairs, false = matches(one, things, 0.5)
    assert pairs == [(1, 0)]
    assert false == [0]


def test_what_is_ignored_is_neither_missed_nor_found_wrongly():
    things = truth((0, 0, 1), (50, 0, 1))
    assert not confusion([found((0, 0, 0.9))], [things], 1, 0.5).any()


def test_pictures_without_things_or_boxes_count_as_nothing():
    assert not confusion([found()], [truth()], 2, 0.5).any()
    assert confusion([found((0, 1, 0.9))], [truth()], 2, 0.5).tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert confusion([found()], [truth((0, 1, 0))], 2, 0.5).tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_a_class_that_the_data_do_not_know_is_none_of_theirs():
    assert confusion([found((0, 7, 0.9))], [truth((0, 1, 0))], 2, 0.5).tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
