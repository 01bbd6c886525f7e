"""Filling holes smoothly: known pixels stay, and what is between them follows from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.hole_filling import coarse_levels, double, fill_smoothly, halve_known
from edgevision.metrics.figures import psnr_db

Array = NDArray[np.float32]

sides = st.integers(1, 40)
shares = st.floats(0, 1)


def picture(height: int, width: int) -> Array:
    return np.random.default_rng(height * 1000 + width).random((height, width, 3), np.float32)


def scattered(height: int, width: int, share: float) -> Array:
    """1 for about ``share`` of the pixels, which are known, and 0 for the others."""
    return (np.random.default_rng(7).random((height, width, 1)) < share).astype(np.float32)


def with_box(height: int, width: int, side: int) -> Array:
    """All known but a square of ``side`` pixels in the middle."""
    known = np.ones((height, width, 1), np.float32)
    top, left = (height - side) // 2, (width - side) // 2
    known[top : top + side, left : left + side] = 0
    return known


@given(sides, sides, shares)
def test_known_pixels_stay_and_the_others_lie_between_them(height: int, width: int, share: float) -> None:
    image, known = picture(height, width), scattered(height, width, share)
    filled = fill_smoothly(image, known)
    assert filled.shape == image.shape
    assert filled.dtype == np.float32
    inside = known[:, :, 0] > 0
    np.testing.assert_array_equal(filled[inside], image[inside])
    if inside.any():
        assert (filled >= image[inside].min(axis=0) - 1e-6).all()
        assert (filled <= image[inside].max(axis=0) + 1e-6).all()


@given(sides, sides, shares)
def test_the_values_of_unknown_pixels_are_ignored(height: int, width: int, share: float) -> None:
    image, known = picture(height, width), scattered(height, width, share)
    other = np.where(known > 0, image, np.float32(9))
    np.testing.assert_array_equal(fill_smoothly(other, known), fill_smoothly(image, known))


@given(sides, sides, shares)
def test_a_picture_of_one_colour_stays_that_colour(height: int, width: int, share: float) -> None:
    known = scattered(height, width, share)
    known[height // 2, width // 2] = 1
    image = np.full((height, width, 3), (0.1, 0.8, 0.3), np.float32)
    assert psnr_db(image, fill_smoothly(image * known, known)) > 100


@given(sides, sides)
def test_where_nothing_is_known_it_becomes_gray(height: int, width: int) -> None:
    filled = fill_smoothly(picture(height, width), np.zeros((height, width, 1), np.float32))
    np.testing.assert_array_equal(filled, np.full((height, width, 3), 0.5, np.float32))


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_single_known_pixel_is_kept(value: float) -> None:
    image = np.full((1, 1, 3), value, np.float32)
    np.testing.assert_array_equal(fill_smoothly(image, np.ones((1, 1, 1), np.float32)), image)


def test_a_ramp_is_continued_through_a_hole() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 96, dtype=np.float32)[None, :, None], (96, 96, 3))
    known = with_box(96, 96, 24)
    filled = fill_smoothly(ramp * known, known)
    inside = known[:, :, 0] == 0
    flat = np.full_like(ramp, ramp[inside].mean())
    assert psnr_db(ramp[inside], filled[inside]) > 25
    assert psnr_db(ramp[inside], filled[inside]) > psnr_db(ramp[inside], flat[inside]) + 3
    rows = filled[36:60, 36:60, 0].mean(axis=0)
    assert (np.diff(rows) > -1e-4).all()


def test_each_picture_of_a_batch_is_filled_by_itself() -> None:
    images = np.stack([picture(13, 18), picture(18, 13).transpose(1, 0, 2)])
    known = np.stack([scattered(13, 18, 0.3), with_box(13, 18, 9)])
    filled = fill_smoothly(images, known)
    for number in range(2):
        np.testing.assert_array_equal(filled[number], fill_smoothly(images[number], known[number]))


@given(st.integers(1, 9), st.integers(1, 9), shares)
def test_halving_takes_the_mean_of_the_known_among_four(height: int, width: int, share: float) -> None:
    image, known = picture(height, width), scattered(height, width, share)
    half, half_known = halve_known(image, known)
    assert half.shape == ((height + 1) // 2, (width + 1) // 2, 3)
    for y, x in np.ndindex(half.shape[:2]):
        four = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        of_them = image[four][known[four][:, :, 0] > 0]
        assert half_known[y, x, 0] == (len(of_them) > 0)
        if len(of_them):
            np.testing.assert_allclose(half[y, x], of_them.mean(axis=0), rtol=1e-5)


@given(sides, sides)
def test_doubling_interpolates_as_pillow_does(height: int, width: int) -> None:
    image = picture((height + 1) // 2, (width + 1) // 2)
    size = (2 * image.shape[1], 2 * image.shape[0])
    planes = [
        np.asarray(Image.fromarray(image[:, :, channel]).resize(size, Image.Resampling.BILINEAR))
        for channel in range(3)
    ]
    ours = double(image, height, width)
    assert ours.shape == (height, width, 3)
    assert psnr_db(np.dstack(planes)[:height, :width], ours) > 120


def test_a_picture_without_holes_and_thin_lines_need_no_coarse_level() -> None:
    known = np.ones((300, 400, 1), np.float32)
    assert coarse_levels(known) == 0
    known[::20] = 0
    known[:, 7::30] = 0
    assert coarse_levels(known) == 0


def test_the_larger_a_box_the_more_coarse_levels_it_needs() -> None:
    levels = [coarse_levels(with_box(1024, 1024, side)) for side in (8, 30, 60, 120, 240, 480, 960)]
    assert levels == sorted(levels)
    assert levels[:2] == [0, 0]
    assert levels[-1] > levels[-3] > levels[-5]


def test_a_box_twice_as_large_needs_one_level_more() -> None:
    levels = [coarse_levels(with_box(1024, 1024, side)) for side in (128, 256, 512)]
    assert np.diff(levels).tolist() == [1, 1]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (33, 17)])
def test_a_picture_that_is_all_hole_has_a_last_level(height: int, width: int) -> None:
    assert 0 <= coarse_levels(np.zeros((height, width, 1), np.float32)) <= 1
