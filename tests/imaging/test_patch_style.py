"""How far pictures are from paintings, and from what they show."""

import numpy as np
import pytest

from edgevision.imaging.patch_style import (
    SCALES,
    content_distance,
    filter_step,
    patch_filters,
    patch_quantiles,
    style_distance,
)


def striped(angle, start=0.0):
    """Blue and yellow stripes in that direction, of 5 to 41 pixels."""
    rows, columns = np.mgrid[:120, :160]
    place = columns * np.cos(angle) + rows * np.sin(angle) + start
    share = 0.5 + 0.12 * sum(np.sin(2 * np.pi * place / period) for period in (5, 11, 23, 41))
    return (
        (np.outer(share, (0.2, 0.2, 0.6)) + np.outer(1 - share, (0.9, 0.8, 0.3)))
        .reshape(120, 160, 3)
        .astype(np.float32)
    )


def test_filters_are_of_one_length_and_every_second_is_blind_to_colour():
    filters = patch_filters(24)
    np.testing.assert_allclose(np.square(filters).sum(axis=(1, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(filters[1::2].sum(axis=(2, 3)), 0, atol=1e-5)
    np.testing.assert_array_equal(patch_filters(8), filters[:8])


def test_a_style_is_the_same_wherever_its_strokes_lie():
    picture = striped(0.3)
    wanted = patch_quantiles(picture)
    assert wanted.shape[0] == SCALES
    assert style_distance(wanted, wanted) == 0
    moved = style_distance(patch_quantiles(striped(0.3, start=50)), wanted)
    turned = style_distance(patch_quantiles(striped(1.8)), wanted)
    recolored = style_distance(patch_quantiles(picture[:, :, ::-1]), wanted)
    even = style_distance(patch_quantiles(np.full_like(picture, 0.5)), wanted)
    assert moved < 0.02 < 0.05 < turned
    assert recolored > 0.2
    assert even > 0.5


def test_what_is_shown_is_the_same_in_other_colours_and_another_light():
    rows, columns = np.mgrid[:64, :80]
    picture = np.stack([(np.hypot(rows - 30, columns - 20 - 10 * n) < 18) for n in range(3)], axis=2).astype(np.float32)
    assert content_distance(picture, picture) == 0
    assert content_distance(0.3 + 0.4 * picture, picture) < 1e-5
    assert content_distance(1 - picture, picture) == pytest.approx(4, abs=1e-4)
    assert content_distance(picture[:, ::-1], picture) > 1


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (9, 6)])
def test_a_picture_smaller_than_a_patch_has_a_style_too(size):
    found = patch_quantiles(np.full((*size, 3), 0.4, np.float32))
    assert np.isfinite(found).all()
    assert np.isfinite(content_distance(np.zeros((*size, 3), np.float32), np.ones((*size, 3), np.float32)))


def test_filters_are_farther_apart_on_larger_pictures():
    assert [filter_step(side) for side in (10, 64, 129, 4000)] == [1, 1, 2, 62]
