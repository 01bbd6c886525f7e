"""Damage done on purpose: repeatable, of the stated strength, and never all of a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.data.degradations import add_noise, draw_holes, shrink, underexpose
from edgevision.data.hole_kinds import HoleKind
from edgevision.metrics.figures import psnr_db

kinds = pytest.mark.parametrize("kind", HoleKind)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def masks(kind: HoleKind, height: int, width: int, count: int = 20) -> list[NDArray[np.bool_]]:
    drawn = generator()
    return [draw_holes(kind, height, width, drawn) for _ in range(count)]


def photograph(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    planes = [(x * 255 // width), (y * 255 // height), ((x + y) * 255 // (height + width))]
    return np.dstack(planes).astype(np.uint8)


@kinds
@given(st.integers(0, 2**32), st.integers(1, 90), st.integers(1, 90))
def test_holes_are_never_empty_and_never_everything(kind: HoleKind, seed: int, height: int, width: int) -> None:
    mask = draw_holes(kind, height, width, generator(seed))
    assert mask.shape == (height, width)
    assert mask.dtype == bool
    if height * width > 1:
        assert mask.any()
        assert not mask.all()


@kinds
def test_a_single_pixel_is_not_damaged(kind: HoleKind) -> None:
    assert not draw_holes(kind, 1, 1, generator()).any()


@kinds
@pytest.mark.parametrize(("height", "width"), [(3, 2000), (2000, 3), (1, 700)])
def test_a_picture_as_thin_as_a_line_gets_holes_too(kind: HoleKind, height: int, width: int) -> None:
    mask = draw_holes(kind, height, width, generator())
    assert mask.any()
    assert not mask.all()


@kinds
def test_the_same_seed_draws_the_same_holes_and_another_does_not(kind: HoleKind) -> None:
    first, again, other = (draw_holes(kind, 200, 160, generator(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@kinds
def test_one_generator_draws_different_holes_in_turn(kind: HoleKind) -> None:
    first, second = masks(kind, 200, 160, 2)
    assert (first != second).any()


def test_strokes_cover_about_a_tenth() -> None:
    shares = [mask.mean() for mask in masks(HoleKind.STROKES, 256, 256)]
    assert min(shares) >= 0.1
    assert max(shares) < 0.125  # one curve of 16 steps of 12 pixels, 5 wide, is 1.5 % of it
    assert np.mean(shares) < 0.11


def test_in_a_large_picture_strokes_end_with_the_one_that_reaches_a_tenth() -> None:
    (mask,) = masks(HoleKind.STROKES, 1500, 1000, 1)
    assert 0.1 * mask.size <= mask.sum() < 0.1 * mask.size + 1500


def test_scattered_pixels_cover_a_third_to_four_fifths() -> None:
    shares = [mask.mean() for mask in masks(HoleKind.PIXELS, 200, 200)]
    assert min(shares) > 0.27
    assert max(shares) < 0.83
    assert max(shares) - min(shares) > 0.2


def test_scattered_holes_are_squares_of_1_to_3_pixels() -> None:
    sides = set()
    for mask in masks(HoleKind.PIXELS, 60, 60):
        # A square of side n repeats every row and every column n times.
        for side in (3, 2, 1):
            small = mask[::side, ::side]
            if (small.repeat(side, axis=0).repeat(side, axis=1) == mask).all():
                sides.add(side)
                break
    assert sides == {1, 2, 3}


def test_a_box_has_sides_of_48_to_80_pixels() -> None:
    single = 0
    for mask in masks(HoleKind.BOXES, 400, 500, 60):
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert min(height, width) >= 48
        if mask.sum() == height * width:  # no other box drawn
            single += 1
            assert max(height, width) <= 80
    assert single > 5


def test_a_box_leaves_half_of_a_small_picture_to_fill_it_from() -> None:
    # Three boxes of half the side each leave something free more often than not.
    assert np.mean([mask.mean() for mask in masks(HoleKind.BOXES, 40, 40)]) < 0.6


def test_text_is_rows_with_gaps_between_them() -> None:
    for mask in masks(HoleKind.TEXT, 300, 300, 5):
        assert 0.02 < mask.mean() < 0.4


@pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
def test_noise_has_the_stated_strength(sigma: float) -> None:
    clean = np.full((3, 200, 200), 0.5, np.float32)
    noisy = add_noise(clean, sigma, generator())
    assert noisy.dtype == np.float32
    noise = (noisy - clean) * 255
    # A deviation estimated from n values has itself one of sigma / sqrt(2 n); a mean, of sigma / sqrt(n).
    assert noise.std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * clean.size))
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(clean.size)
    assert psnr_db(clean, noisy) == pytest.approx(20 * np.log10(255 / sigma), abs=0.1)


def test_noise_is_white_repeatable_and_not_clipped() -> None:
    clean = np.zeros((64, 64, 3), np.float32)
    noisy = add_noise(clean, 50, generator())
    np.testing.assert_array_equal(noisy, add_noise(clean, 50, generator()))
    assert noisy.min() < 0
    neighbours = [np.corrcoef(noisy[:, 1:].ravel(), noisy[:, :-1].ravel())[0, 1], np.corrcoef(noisy.reshape(-1, 3).T)]
    assert abs(neighbours[0]) < 4 / np.sqrt(clean.size)
    assert np.abs(neighbours[1] - np.eye(3)).max() < 4 / np.sqrt(clean.size / 3)


def test_no_noise_changes_nothing() -> None:
    clean = photograph().astype(np.float32) / 255
    np.testing.assert_array_equal(add_noise(clean, 0, generator()), clean)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("width", "height"), [(48, 36), (50, 37), (1, 9), (2, 1)])
def test_shrinking_divides_the_sides(scale: int, width: int, height: int) -> None:
    small = shrink(Image.fromarray(photograph(height, width)), scale)
    assert small.size == (max(1, width // scale), max(1, height // scale))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_remainder_that_is_cut_off_has_no_influence(scale: int) -> None:
    picture = Image.fromarray(photograph(37, 49 + scale // 4 * 2))
    trimmed = picture.crop((0, 0, picture.width // scale * scale, picture.height // scale * scale))
    assert trimmed.size != picture.size
    np.testing.assert_array_equal(np.asarray(shrink(picture, scale)), np.asarray(shrink(trimmed, scale)))


def test_shrinking_keeps_a_plain_colour_and_does_not_alias() -> None:
    plain = shrink(Image.new("RGB", (40, 40), (10, 200, 90)), 4)
    assert (np.asarray(plain) == (10, 200, 90)).all()
    stripes = np.zeros((40, 40), np.uint8)
    stripes[:, ::2] = 255
    inside = np.asarray(shrink(Image.fromarray(stripes), 4))[:, 2:-2]
    assert np.abs(inside.astype(int) - 127).max() <= 8  # every other column alone would be black or white


def test_underexposure_darkens_and_is_repeatable() -> None:
    pixels = photograph()
    for seed in range(10):
        dark = underexpose(pixels, generator(seed))
        assert dark.dtype == np.uint8
        assert dark.shape == pixels.shape
        # 1.5 stops before a display gamma of 2.2 leave at most 2 ** (-1.5 / 2.2) of a sample.
        assert dark.mean() < 0.65 * pixels.mean()
        np.testing.assert_array_equal(dark, underexpose(pixels, generator(seed)))
    assert len({underexpose(pixels, generator(seed)).mean() for seed in range(10)}) == 10


def test_black_stays_black_when_underexposed() -> None:
    assert not underexpose(np.zeros((9, 9, 3), np.uint8), generator()).any()


def test_the_kinds_of_holes_are_words_for_the_command_line() -> None:
    assert [str(kind) for kind in HoleKind] == ["strokes", "text", "boxes", "blobs", "pixels"]
    assert HoleKind("boxes") is HoleKind.BOXES
