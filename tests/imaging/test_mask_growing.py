import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.imaging.mask_growing import grow, shrink


@pytest.mark.parametrize("radius", [1, 2, 3, 7, 20])
def test_a_point_becomes_nearly_a_disc(radius: int) -> None:
    mask = np.zeros((61, 61), np.bool_)
    mask[30, 30] = True
    rows, columns = np.mgrid[:61, :61]
    distance = np.hypot(rows - 30, columns - 30)
    grown = grow(mask, radius)
    assert grown[distance <= radius].all()
    assert not grown[distance > 1.1 * radius + 1].any()
    assert (grown == grown.T).all()
    assert (grown == grown[::-1]).all()


@given(st.integers(0, 99), st.integers(0, 12))
def test_growing_is_the_union_of_what_each_pixel_grows_to(seed: int, radius: int) -> None:
    mask = np.random.default_rng(seed).random((17, 23)) < 0.02
    union = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        single = np.zeros_like(mask)
        single[y, x] = True
        union |= grow(single, radius)
    np.testing.assert_array_equal(grow(mask, radius), union)


def test_nothing_comes_in_over_an_edge() -> None:
    assert not grow(np.zeros((9, 9), np.bool_), 4).any()
    corner = np.zeros((20, 30), np.bool_)
    corner[0, 0] = True
    assert grow(corner, 5)[:6, 0].all()
    assert np.count_nonzero(grow(corner, 5)) < 36


def test_shrinking_takes_the_rim_but_not_at_the_pictures_edge() -> None:
    mask = np.zeros((30, 30), np.bool_)
    mask[:, :20] = True
    np.testing.assert_array_equal(np.flatnonzero(shrink(mask, 3)[15]), np.arange(17))
    assert shrink(np.ones((5, 5), np.bool_), 2).all()
