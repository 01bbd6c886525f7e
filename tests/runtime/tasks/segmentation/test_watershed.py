import numpy as np
import pytest

from edgevision.runtime.tasks.segmentation.spec import WatershedSpec
from edgevision.runtime.tasks.segmentation.watershed import hills


def cones(centers, side=80, radius=12):
    y, x = np.mgrid[:side, :side]
    return np.max([1 - np.hypot(y - cy, x - cx) / radius for cy, cx in centers], axis=0).astype(np.float32)


TOUCHING = [(30, 20), (30, 36), (44, 28), (60, 60)]


def test_things_that_touch_come_apart_at_the_saddle():
    landscape = cones(TOUCHING)
    found = hills(landscape, landscape > 0, WatershedSpec(prominence=0.1))
    assert found.max() == len(TOUCHING)
    assert (found > 0).sum() == (landscape > 0).sum()
    y, x = np.mgrid[:80, :80]
    nearest = np.argmin([np.hypot(y - cy, x - cx) for cy, cx in TOUCHING], axis=0)
    tops = {int(found[cy, cx]): index for index, (cy, cx) in enumerate(TOUCHING)}
    assert len(tops) == len(TOUCHING)
    same = np.vectorize(lambda number: tops.get(number, -1))(found) == nearest
    assert same[found > 0].mean() > 0.98


def test_noise_on_a_hill_makes_none():
    landscape = cones([(40, 40)], radius=30) + np.random.default_rng(0).normal(0, 0.05, (80, 80)).astype(np.float32)
    inside = cones([(40, 40)], radius=30) > 0.1
    assert hills(landscape, inside, WatershedSpec(prominence=0.0)).max() > 50
    assert hills(landscape, inside, WatershedSpec(prominence=0.3)).max() == 1


@pytest.mark.parametrize("prominence", [0.0, 0.3])
def test_a_flat_landscape_has_a_hill_for_each_island(prominence):
    inside = np.zeros((20, 30), bool)
    inside[2:8, 3:9] = inside[8:12, 9:12] = inside[15:18, 20:29] = True  # the first two touch at a corner
    found = hills(np.zeros(inside.shape, np.float32), inside, WatershedSpec(prominence=prominence))
    assert found.max() == 2
    np.testing.assert_array_equal(found > 0, inside)


def test_small_and_low_hills_are_left_out():
    landscape = cones(TOUCHING)
    landscape[70:73, 5:8] = 0.2
    inside = landscape > 0.05
    assert hills(landscape, inside, WatershedSpec(prominence=0.1)).max() == 5
    assert hills(landscape, inside, WatershedSpec(prominence=0.1, min_peak=0.5)).max() == 4
    assert hills(landscape, inside, WatershedSpec(prominence=0.1, min_area=10)).max() == 4


def test_an_empty_foreground_has_no_hills():
    assert not hills(np.ones((5, 6), np.float32), np.zeros((5, 6), bool), WatershedSpec()).any()
