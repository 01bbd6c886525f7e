import numpy as np
import pytest

from edgevision.imaging.components import component_at, label_components


def test_what_hangs_together_is_reached_and_nothing_else() -> None:
    mask = np.array([[1, 1, 0, 0, 1], [0, 1, 0, 1, 1], [0, 1, 1, 1, 0], [1, 0, 0, 0, 1]], np.bool_)
    reached = component_at(mask, 0, 0)
    expected = mask.copy()
    expected[3] = False
    np.testing.assert_array_equal(reached, expected)
    assert np.count_nonzero(component_at(mask, 0, 3)) == 1
    assert not component_at(mask, 2, 0).any()


def test_corners_do_not_join() -> None:
    mask = np.eye(5, dtype=np.bool_)
    assert np.count_nonzero(component_at(mask, 2, 2)) == 1


@pytest.mark.parametrize("side", [3, 20])
def test_a_spiral_is_followed_to_its_end(side: int) -> None:
    mask = np.zeros((side * 4, side * 4), np.bool_)
    low, high = 0, side * 4 - 1
    while low < high:
        mask[low, low : high + 1] = mask[low : high + 1, high] = mask[high, low : high + 1] = True
        mask[low + 2 : high + 1, low] = True
        mask[low + 2, low : low + 3] = True
        low, high = low + 2, high - 2
    np.testing.assert_array_equal(component_at(mask, 0, 0), component_at(mask, side * 4 - 1, 0))
    assert component_at(mask, 0, 0)[0, -1]


def test_labels_are_the_components_and_their_areas() -> None:
    mask = np.random.default_rng(0).random((40, 50)) < 0.55
    labels, areas = label_components(mask)
    assert ((labels > 0) == mask).all()
    assert set(np.unique(labels[mask])) == set(range(1, len(areas) + 1))
    for number in (1, len(areas) // 2, len(areas)):
        y, x = np.argwhere(labels == number)[0]
        np.testing.assert_array_equal(labels == number, component_at(mask, int(x), int(y)))
        assert areas[number - 1] == np.count_nonzero(labels == number)
