"""Maps of instances: how high each is, what lies between two, and that the numbers come back from the maps."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from edgevision.runtime.tasks.segmentation.spec import WatershedSpec
from edgevision.runtime.tasks.segmentation.watershed import hills
from edgevision.training.instance_maps import narrow_gaps, normalised_distances


def discs(size: tuple[int, int], *circles: tuple[int, int, int]) -> NDArray[np.int32]:
    """Numbers from 1 of circles (y, x, radius); later ones are on top."""
    y, x = np.indices(size)
    ids = np.zeros(size, np.int32)
    for number, (row, column, radius) in enumerate(circles, start=1):
        ids[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return ids


def test_each_instance_is_one_in_its_middle_whatever_its_size() -> None:
    ids = discs((64, 64), (16, 16, 3), (40, 40, 15))
    distances = normalised_distances(ids)
    assert distances.dtype == np.float32
    assert distances[16, 16] == distances[40, 40] == 1
    assert not distances[ids == 0].any()
    assert (distances[ids > 0] > 0).all()
    assert distances[40, 26] < 0.2


def test_where_two_touch_the_distance_is_low_on_both_sides() -> None:
    distances = normalised_distances(discs((40, 40), (20, 12, 8), (20, 27, 8)))
    assert distances[20, 12] > 0.9
    assert distances[20, 27] > 0.9
    assert distances[20, 18:21].max() < 0.4


def test_the_edge_of_the_picture_is_no_border() -> None:
    ids = discs((20, 20), (0, 10, 6))
    distances = normalised_distances(ids)
    assert distances[0, 10] == 1
    assert normalised_distances(np.ones((5, 5), np.int32)).min() == 1


def test_numbers_may_have_gaps() -> None:
    ids = discs((30, 30), (8, 8, 4), (22, 22, 4))
    assert np.array_equal(normalised_distances(ids), normalised_distances(ids * 7))


@pytest.mark.parametrize("seed", range(3))
def test_numbers_come_back_from_the_maps(seed: int) -> None:
    generator = np.random.default_rng(seed)
    circles = [(int(y), int(x), int(r)) for y, x, r in generator.integers((8, 8, 5), (120, 120, 14), (18, 3))]
    ids = discs((128, 128), *circles)
    # What others cut in two are two.
    parts = [ndimage.label(ids == number)[0] for number in range(1, len(circles) + 1)]
    whole = [part == 1 + int(np.argmax(np.bincount(part.ravel())[1:])) for part in parts if part.any()]
    ids = sum((number * mask for number, mask in enumerate(whole, start=1)), np.zeros(ids.shape, np.int64))

    found = hills(normalised_distances(ids), ids > 0, WatershedSpec(prominence=0.3))

    right = 0
    for number in range(1, len(whole) + 1):
        mine = ids == number
        best = np.bincount(found[mine]).argmax()
        right += (mine & (found == best)).sum() / (mine | (found == best)).sum() > 0.8
    assert right >= 0.9 * len(whole)


def test_gaps_are_where_two_instances_are_near() -> None:
    ids = discs((40, 60), (20, 12, 8), (20, 30, 8))
    gaps = narrow_gaps(ids)
    assert gaps[20, 21] > 0.9
    assert gaps[20, 50] < 0.01
    assert gaps[2, 2] < 0.01
    assert not narrow_gaps(discs((20, 20), (10, 10, 4))).any()
    assert not narrow_gaps(np.zeros((8, 8), np.int32)).any()
