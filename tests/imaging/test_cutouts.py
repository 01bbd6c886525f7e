"""Cut-outs: mattes follow the picture, no colour of the old background stays, and backgrounds are behind."""

import numpy as np
import pytest

from edgevision.imaging.cutouts import cut_out, on_blur, on_colour, on_picture
from edgevision.imaging.foreground_colours import estimate_foreground
from edgevision.imaging.matting import refine_mask
from edgevision.imaging.pictures import Picture
from edgevision.imaging.resampling import resized

RED, BLUE = (200, 40, 30), (20, 60, 210)


def disc(side: int = 96, radius: float = 30, soft: float = 1.5) -> np.ndarray:
    """The true matte of a red disc before blue, float32, with a rim of ``2 * soft`` pixels."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((radius - np.hypot(rows, columns)) / (2 * soft) + 0.5, 0, 1).astype(np.float32)


def picture_of(matte: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    mixed = matte[:, :, None] * np.float32(RED) + (1 - matte[:, :, None]) * np.float32(BLUE)
    return (mixed / 255 * white).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_coarse_mask_becomes_the_true_matte(dtype: type) -> None:
    true = disc()
    coarse = np.roll(resized(true, (12, 12)) > 0.5, 0)
    alpha = refine_mask(coarse, picture_of(true, dtype), strength=1)
    assert alpha.dtype == dtype
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    before = np.abs(resized(coarse.astype(np.float32), true.shape) - true).mean()
    after = np.abs(alpha / white - true).mean()
    assert after < before / 4


def test_without_strength_the_mask_stays_as_it_is() -> None:
    mask = disc() > 0.5
    np.testing.assert_array_equal(refine_mask(mask, picture_of(disc()), strength=0), mask * np.uint8(255))


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_of_all_or_nothing_stays_that(value: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    assert (refine_mask(np.full((40, 50), value), pixels) == 255 * value).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_at_the_rim_no_colour_of_the_background_is_left(dtype: type) -> None:
    true = disc(soft=3)
    white = np.iinfo(dtype).max
    alpha = (true * white).round().astype(dtype)
    pixels = picture_of(true, dtype)
    thing = estimate_foreground(pixels, alpha)
    np.testing.assert_array_equal(thing[alpha == white], pixels[alpha == white])
    off = np.abs(thing / white - np.float32(RED) / 255).max(axis=2)
    assert off.max() < 0.03
    assert np.abs(pixels / white - np.float32(RED) / 255).max(axis=2)[true < 1].max() > 0.5


def test_put_back_on_its_background_it_is_the_picture_again() -> None:
    true = disc(soft=3)
    pixels = picture_of(true)
    cut = Picture(estimate_foreground(pixels, (true * 255).astype(np.uint8)), (true * 255).astype(np.uint8))
    again = on_colour(cut, BLUE)
    assert again.alpha is None
    assert np.abs(again.pixels.astype(int) - pixels).max() <= 4


def test_what_is_transparent_stays_so_and_the_rest_of_the_file_is_kept() -> None:
    true = disc()
    own = np.full(true.shape, 255, np.uint8)
    own[:, :48] = 0
    picture = Picture(picture_of(true), own, icc_profile=b"profile", exif=b"exif")
    cut = cut_out(picture, true > 0.5)
    assert cut.alpha is not None
    assert not cut.alpha[:, :48].any()
    assert cut.alpha[48, 60] == 255
    assert (cut.icc_profile, cut.exif) == (b"profile", b"exif")


def test_behind_it_is_the_middle_of_a_picture_of_any_size_or_colour() -> None:
    cut = cut_out(Picture(picture_of(disc())), disc() > 0.5)
    behind = np.zeros((30, 90, 3), np.uint8)
    behind[:, 30:60] = 255
    whole = on_picture(cut, Picture(behind))
    assert (whole.pixels[0, 20:-20] > 240).all()
    assert np.abs(whole.pixels[48, 48].astype(int) - RED).max() <= 1
    gray = Picture(np.full((96, 96, 1), 128, np.uint8), cut.alpha)
    assert on_colour(gray, (9, 9, 9)).pixels.shape[2] == 1
    assert tuple(on_colour(gray, (250, 9, 9)).pixels[0, 0]) == (250, 9, 9)
    assert on_picture(gray, Picture(behind)).pixels.shape[2] == 3


def test_nothing_of_the_thing_is_blurred_into_its_background() -> None:
    picture = Picture(picture_of(disc()))
    whole = on_blur(cut_out(picture, disc() > 0.5), picture)
    outside = disc(radius=34) == 0
    assert np.abs(whole.pixels[outside].astype(int) - BLUE).max() <= 3
