"""Pasting: what is not covered stays, sizes and places are kept, and light is matched at the seam."""

import numpy as np
import pytest

from edgevision.core.errors import ImageError
from edgevision.imaging.light_matching import light_difference
from edgevision.imaging.pasting import PastedThing, paste
from edgevision.imaging.pictures import Picture


def scene(height: int = 80, width: int = 100, seed: int = 0) -> np.ndarray:
    """A smooth background in colours."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    base = np.stack([0.4 + 0.2 * rows / height, 0.5 - 0.2 * columns / width, 0.45 + 0 * rows], axis=2)
    return (base * 255).astype(np.uint8)


def square(height: int = 80, width: int = 100) -> np.ndarray:
    alpha = np.zeros((height, width), np.uint8)
    alpha[30:50, 40:70] = 255
    return alpha


def test_its_own_size_at_its_own_place_gives_the_picture_back() -> None:
    picture = Picture(scene())
    thing = PastedThing.of(Picture(scene(), square()), picture)
    assert thing.size == (20, 30)
    again = paste(picture, thing, center=(55, 40))
    np.testing.assert_array_equal(again.pixels, picture.pixels)


def test_in_another_light_it_comes_back_as_it_would_be_there() -> None:
    darker = Picture((scene() * 0.7).astype(np.uint8))
    thing = PastedThing.of(Picture(scene(), square()), Picture(scene()))
    plain = paste(darker, thing, center=(55, 40), matched=0)
    matched = paste(darker, thing, center=(55, 40))
    covered = square() > 0
    errors = [np.abs(made.pixels.astype(float) - darker.pixels)[covered].mean() for made in (plain, matched)]
    assert errors[1] < errors[0] / 2
    np.testing.assert_array_equal(matched.pixels[~covered], darker.pixels[~covered])


def test_the_step_at_the_seam_falls_and_the_things_own_gradients_stay() -> None:
    rng = np.random.default_rng(0)
    texture = scene().astype(np.float32) / 255 + rng.normal(0, 0.02, (80, 100, 3)).astype(np.float32)
    new = texture - np.float32([0.15, 0.05, -0.1])
    alpha = (square() > 0).astype(np.float32)
    light = light_difference(texture, texture, new, alpha)
    made = texture + light
    inside = np.s_[31:49, 41:69]
    assert np.abs(np.diff(light[inside], axis=1)).max() < 0.01
    seam_before = np.abs(texture - new)[30, 40:70].mean()
    seam_after = np.abs(made - new)[30, 40:70].mean()
    assert seam_after < seam_before / 3


def test_backgrounds_that_have_nothing_in_common_shift_little() -> None:
    white, black = np.ones((60, 60, 3), np.float32), np.zeros((60, 60, 3), np.float32)
    alpha = np.zeros((60, 60), np.float32)
    alpha[20:40, 20:40] = 1
    light = light_difference(np.full_like(white, 0.5), white, black, alpha)
    assert -0.2 < light.min() < 0
    assert not light_difference(white, white, black, np.ones((60, 60), np.float32)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_scaled_hidden_colours_do_not_come_up_at_the_rim(dtype: type) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels = np.zeros((80, 100, 3), dtype)  # black where it is transparent, as many editors leave it
    pixels[square() > 0] = white
    thing = PastedThing.of(Picture(pixels, (square() / 255 * white).astype(dtype)))
    picture = Picture(np.full((200, 200, 3), white, dtype))
    pasted = paste(picture, thing, center=(100, 100), scale=2.5, matched=0)
    assert pasted.pixels.dtype == dtype
    assert pasted.pixels.min() > 0.97 * white


def test_gray_and_colours_meet_in_those_of_the_picture() -> None:
    thing = PastedThing.of(Picture(scene(), square()))
    assert paste(Picture(scene()[:, :, :1]), thing, center=(50, 40)).pixels.shape[2] == 1
    gray = PastedThing.of(Picture(scene()[:, :, :1], square()))
    assert paste(Picture(scene()), gray, center=(50, 40)).pixels.shape[2] == 3


def test_a_transparent_picture_becomes_opaque_where_it_is_covered() -> None:
    picture = Picture(scene(), np.zeros((80, 100), np.uint8))
    pasted = paste(picture, PastedThing.of(Picture(scene(), square())), center=(55, 40))
    np.testing.assert_array_equal(pasted.alpha, square())


def test_it_may_hang_over_the_edge_but_not_lie_beyond_it() -> None:
    picture, thing = Picture(scene()), PastedThing.of(Picture(255 - scene(), square()))
    over = paste(picture, thing, center=(0, 0), matched=0)
    changed = (over.pixels != picture.pixels).any(axis=2)
    assert changed[:10, :15].all()
    assert not changed[12:, 17:].any()
    with pytest.raises(ImageError, match=r"at 500,40 nothing of the cut-out is inside the picture of 100x80"):
        paste(picture, thing, center=(500, 40))
    with pytest.raises(ImageError, match=r"choose a smaller scale"):
        paste(picture, thing, center=(50, 40), scale=50)
    with pytest.raises(ImageError, match=r"transparent everywhere"):
        PastedThing.of(Picture(scene(), np.zeros((80, 100), np.uint8)))
