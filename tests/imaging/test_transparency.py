"""Colours are continued under what is transparent."""

import numpy as np
import pytest

from edgevision.imaging.transparency import continue_colours


def noise(height: int, width: int, channels: int = 3, dtype: type = np.uint8):
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, top, (height, width, channels), dtype=dtype)


@pytest.mark.parametrize("alpha", [0, 16, 255])
def test_a_picture_of_which_all_is_seen_or_nothing_is_left_alone(alpha: int) -> None:
    pixels = noise(5, 6)
    assert continue_colours(pixels, np.full((5, 6), alpha, np.uint8)) is pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(1, 9), (9, 1), (7, 10), (600, 3)])
def test_what_is_seen_stays_and_the_rest_is_made_of_it(height: int, width: int, dtype: type) -> None:
    pixels = noise(height, width, 3, dtype)
    pixels[: height // 2 + 1, : width // 2 + 1] //= 4
    seen = np.zeros((height, width), bool)
    seen[: height // 2 + 1, : width // 2 + 1] = True
    alpha = np.where(seen, np.iinfo(dtype).max, 0).astype(dtype)
    continued = continue_colours(pixels, alpha)
    assert continued.dtype == dtype
    np.testing.assert_array_equal(continued[seen], pixels[seen])
    assert (continued <= pixels[seen].max(axis=0)).all()
    assert (continued >= pixels[seen].min(axis=0)).all()


def test_one_colour_is_continued_as_it_is_however_it_is_cut_up() -> None:
    alpha = (noise(300, 41, 1)[:, :, 0] > 250).astype(np.uint8) * 255
    pixels = np.where(alpha[:, :, None] > 0, np.uint8(77), noise(300, 41))
    np.testing.assert_array_equal(continue_colours(pixels, alpha), np.full_like(pixels, 77))


def test_faint_colours_give_way_to_what_is_plainly_seen() -> None:
    alpha = np.array([[255, 255, 1, 0, 0, 0, 0, 0]], np.uint8)
    pixels = np.array([[200, 200, 0, 9, 9, 9, 9, 9]], np.uint8)[:, :, None]
    continued = continue_colours(pixels, alpha)[0, :, 0]
    assert continued[:2].tolist() == [200, 200]
    assert continued[2] > 150
    assert (continued[3:] > 190).all()
