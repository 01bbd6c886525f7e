import numpy as np
import pytest

from edgevision.metrics.figures import class_overlaps
from edgevision.metrics.matching import matched_share, pair_up

OVERLAP = np.array([[0.9, 0.2], [0.8, 0.6], [0.0, 0.7]])


def test_each_has_one_partner_and_the_first_choose_first():
    assert pair_up(OVERLAP, range(3), 0.5) == [(0, 0), (1, 1)]
    assert pair_up(OVERLAP, (1, 0, 2), 0.5) == [(1, 0), (2, 1)]
    assert pair_up(OVERLAP[:, :0], range(3), 0.5) == []


@pytest.mark.parametrize(("least", "share"), [(0.5, 2 / 3), (0.8, 1 / 4), (0.95, 0)])
def test_the_share_counts_what_is_missed_and_what_is_wrong(least, share):
    assert matched_share(OVERLAP, least) == pytest.approx(share)


def test_nothing_found_where_nothing_is_is_right():
    assert matched_share(np.zeros((0, 0)), 0.5) == 1
    assert matched_share(np.zeros((0, 3)), 0.5) == 0
    assert matched_share(np.zeros((3, 0)), 0.5) == 0


def test_overlap_of_classes_counts_what_was_taken_for_none():
    confusion = np.array([[6, 1, 1, 2], [0, 4, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(class_overlaps(confusion), [0.6, 0.8, 0.0])
    assert np.isnan(class_overlaps(np.array([[1, 0], [0, 0]]))[1])
