from itertools import pairwise

import numpy as np
import pytest

from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TileSpec
from edgevision.runtime.tasks.restoration.inpainter import Inpainter


def metadata(color=Color.RGB, **tiles):
    image, tile = ImageSpec(color=color), TileSpec(**({"overlap": 4, "memory": 100} | tiles))
    return ModelMetadata(task="inpaint", name="filler", image=image, tile=tile)


def noise(height, width, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def gradient(height, width):
    """Smooth in both directions and in every channel in another way."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ramps = (x / width, y / height, (x / width + y / height) / 2)
    return (np.dstack(ramps) * 200 + 30).astype(np.uint8)


def hole(height, width, top=5, left=7, rows=6, columns=8):
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    return mask


@pytest.fixture
def guess(picture_engine):
    """A network that leaves the guess it is given as it is."""
    return picture_engine(lambda image, mask: image, mask=True)


@pytest.fixture
def white(picture_engine):
    """A network that makes the holes white, and the rest black."""
    return picture_engine(lambda image, mask: mask.repeat(image.shape[1], axis=1), mask=True)


@pytest.fixture
def smooth(picture_engine, blur):
    """A network that sees 4 pixels far, in the picture and in the mask."""

    def network(image, mask):
        for _ in range(4):
            image, mask = blur(image), blur(mask)
        return image * (1 - mask) + mask * 0.3

    return picture_engine(network, mask=True)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_what_lies_under_the_mask_changes(white, channels, dtype):
    pixels, mask = noise(30, 40, channels, dtype), hole(30, 40)
    filled = Inpainter(white, metadata())(Picture(pixels), mask).pixels
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[~mask], pixels[~mask])
    np.testing.assert_array_equal(filled[mask], np.iinfo(dtype).max)


def test_single_pixels_all_over_the_picture_are_filled(white):
    pixels, mask = noise(30, 40), np.random.default_rng(0).random((30, 40)) < 0.5
    filled = Inpainter(white, metadata())(pixels, mask).pixels
    np.testing.assert_array_equal(filled, np.where(mask[:, :, None], 255, pixels))


def test_the_network_sees_a_guess_and_nothing_of_what_lies_under_the_mask(picture_engine):
    seen = []
    engine = picture_engine(lambda image, mask: seen.append((image, mask)) or image, mask=True)
    mask = hole(30, 40)
    for under in (0, 255):
        pixels = gradient(30, 40)
        pixels[mask] = under
        Inpainter(engine, metadata())(pixels, mask)
    (first, holes), (second, _) = seen
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(holes[0, 0], mask)
    assert psnr_db(as_float(gradient(30, 40)), first[0].transpose(1, 2, 0)) > 40


def test_an_empty_mask_gives_the_picture_back(white):
    picture = Picture(noise(20, 30), noise(20, 30)[:, :, 0], b"profile", b"camera")
    filled = Inpainter(white, metadata())(picture, np.zeros((20, 30), bool))
    np.testing.assert_array_equal(filled.pixels, picture.pixels)
    np.testing.assert_array_equal(filled.alpha, picture.alpha)
    assert (filled.icc_profile, filled.exif) == (b"profile", b"camera")
    assert white.calls == 0


@pytest.mark.parametrize(("mask", "invert"), [(np.ones((20, 30), bool), False), (np.zeros((20, 30), bool), True)])
def test_a_mask_over_the_whole_picture_is_refused_with_a_remedy(white, mask, invert):
    with pytest.raises(ImageError, match=r"covers the whole picture.*--invert-mask fills what is black"):
        Inpainter(white, metadata())(noise(20, 30), mask, invert=invert)


def test_an_inverted_mask_fills_the_rest(white):
    pixels, mask = noise(20, 30), hole(20, 30)
    filled = Inpainter(white, metadata())(pixels, mask, invert=True).pixels
    np.testing.assert_array_equal(filled, np.where(mask[:, :, None], pixels, 255))


def test_what_is_transparent_is_filled_and_made_opaque(white):
    pixels, mask = noise(20, 30), hole(20, 30)
    picture = Picture(pixels, np.where(mask, 60, 200).astype(np.uint8))
    filled = Inpainter(white, metadata())(picture)
    np.testing.assert_array_equal(filled.pixels, np.where(mask[:, :, None], 255, pixels))
    np.testing.assert_array_equal(filled.alpha, np.where(mask, 255, 200))


def test_transparency_stays_under_a_mask_unless_it_is_to_become_opaque(white):
    mask = hole(20, 30)
    picture = Picture(noise(20, 30), np.full((20, 30), 60, np.uint8))
    np.testing.assert_array_equal(Inpainter(white, metadata())(picture, mask).alpha, picture.alpha)
    opaque = Inpainter(white, metadata())(picture, mask, opaque=True).alpha
    np.testing.assert_array_equal(opaque, np.where(mask, 255, 60))


def test_nothing_that_is_transparent_bleeds_into_what_is_filled(picture_engine, blur):
    pixels = np.full((40, 48, 3), 240, np.uint8)
    alpha = np.full((40, 48), 255, np.uint8)
    pixels[:, 20:], alpha[:, 20:] = 0, 0
    holes = hole(40, 48, 10, 8, 12, 12)  # as far as what is transparent
    network = picture_engine(lambda image, mask: blur(image), mask=True)
    filled = Inpainter(network, metadata())(Picture(pixels, alpha), holes)
    np.testing.assert_allclose(filled.pixels[:, :20], 240, atol=1)
    np.testing.assert_array_equal(filled.pixels[:, 20:], 0)
    np.testing.assert_array_equal(filled.alpha, alpha)


def test_a_picture_without_transparency_and_mask_is_refused(white):
    with pytest.raises(ImageError, match="no transparency to take the mask from; give a mask picture"):
        Inpainter(white, metadata())(noise(20, 30))


@pytest.mark.parametrize("left", [0, 60, 100])
def test_a_large_hole_continues_what_surrounds_it(guess, left):
    pixels = gradient(300, 300)
    mask = hole(300, 300, 50, left, 200, 200)
    torn = np.where(mask[:, :, None], 0, pixels).astype(np.uint8)
    filled = Inpainter(guess, metadata())(torn, mask, fill="smooth").pixels
    # Gray would reach 14 dB; the mean of the surroundings knows no direction.
    assert psnr_db(as_float(pixels)[mask], as_float(filled)[mask]) > 24
    np.testing.assert_array_equal(filled[~mask], pixels[~mask])


def test_a_large_hole_is_first_filled_where_the_network_sees_across_it(picture_engine):
    sizes = []
    engine = picture_engine(lambda image, mask: sizes.append(image.shape[2:]) or image, mask=True)
    Inpainter(engine, metadata(), tile=0)(gradient(300, 400), hole(300, 400, 50, 60, 200, 200), fill="smooth")
    assert sizes[-1] == (300, 400)
    assert len(sizes) > 1
    assert all(2 * small[0] == large[0] for small, large in pairwise(sizes))


def test_a_small_hole_is_filled_at_once(guess):
    Inpainter(guess, metadata(), tile=0)(gradient(300, 400), hole(300, 400))
    assert guess.calls == 1


@pytest.mark.parametrize("tile", [16, 33, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_leave_no_seam(smooth, tile, channels):
    pixels = noise(90, 110, channels)
    mask = hole(90, 110, 8, 9, 70, 80) | (np.random.default_rng(1).random((90, 110)) < 0.1)
    tiled, untiled = (
        Inpainter(smooth, metadata(), tile=side)(Picture(pixels), mask, fill="smooth").pixels for side in (tile, 0)
    )
    np.testing.assert_allclose(tiled.astype(int), untiled, atol=1)
    assert psnr_db(as_float(pixels)[mask], as_float(untiled)[mask]) < 30  # and the network did run


def test_tiles_without_holes_are_not_computed(smooth):
    Inpainter(smooth, metadata(), tile=32)(noise(200, 200), hole(200, 200))
    assert smooth.calls == 1


def test_tiles_of_a_model_of_one_size_are_filled(picture_engine):
    engine = picture_engine(lambda image, mask: np.maximum(image, mask), shape=(1, 3, 32, 32), mask=True)
    for height, width in ((100, 70), (20, 30)):
        pixels, mask = noise(height, width), hole(height, width)
        filled = Inpainter(engine, metadata())(pixels, mask).pixels
        np.testing.assert_array_equal(filled, np.where(mask[:, :, None], 255, pixels))


@pytest.mark.parametrize(("height", "width"), [(1, 2), (2, 1), (3, 1000), (1000, 3), (17, 23)])
def test_pictures_of_any_size_are_filled(white, height, width):
    pixels, mask = noise(height, width), np.zeros((height, width), bool)
    mask[-1, -1] = True
    filled = Inpainter(white, metadata(multiple=8))(pixels, mask).pixels
    np.testing.assert_array_equal(filled, np.where(mask[:, :, None], 255, pixels))


@pytest.mark.parametrize("batch", ["batch", 1])
def test_a_gray_network_fills_a_colour_picture(picture_engine, batch):
    engine = picture_engine(np.maximum, shape=(batch, 1, "height", "width"), mask=True)
    pixels, mask = noise(20, 30), hole(20, 30)
    filled = Inpainter(engine, metadata(Color.GRAY))(pixels, mask).pixels
    np.testing.assert_array_equal(filled, np.where(mask[:, :, None], 255, pixels))


@pytest.mark.parametrize("color", [Color.BGR, Color.YCBCR])
def test_colours_are_filled_in_any_colour_space(picture_engine, color):
    engine = picture_engine(lambda image, mask: image, mask=True)
    filled = Inpainter(engine, metadata(color))(gradient(60, 60), hole(60, 60)).pixels
    assert psnr_db(as_float(gradient(60, 60)), as_float(filled)) > 40


def test_samples_of_float_are_filled_and_clipped(picture_engine):
    engine = picture_engine(lambda image, mask: image + 5 * mask, mask=True)
    samples, mask = noise(20, 30).astype(np.float32) / 255, hole(20, 30)
    filled = Inpainter(engine, metadata()).fill(samples, mask)
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled, np.where(mask[:, :, None], np.float32(1), samples))


def test_the_callers_picture_is_left_alone(white):
    pixels = noise(20, 30)
    Inpainter(white, metadata())(pixels, hole(20, 30))
    np.testing.assert_array_equal(pixels, noise(20, 30))


def test_a_model_without_a_mask_is_refused(picture_engine):
    with pytest.raises(ModelFileError, match="'filler' has 1 inputs; inpainting needs image and mask"):
        Inpainter(picture_engine(lambda image: image), metadata())


@pytest.mark.parametrize("fill", ["texture", "auto"])
def test_a_small_hole_is_the_networks_alone(smooth, fill):
    pixels, mask = noise(120, 120), hole(120, 120, 10, 10, 31, 31)
    filled, alone = (Inpainter(smooth, metadata())(pixels, mask, fill=way).pixels for way in (fill, "smooth"))
    np.testing.assert_array_equal(filled, alone)


def test_a_large_hole_gets_the_texture_around_it_and_the_same_for_a_seed(guess):
    pixels, mask = noise(128, 128, 1), hole(128, 128, 32, 32, 64, 64)
    inpainter = Inpainter(guess, metadata())
    first, again, another, smooth = (
        inpainter(pixels, mask, **how).pixels
        for how in ({"fill": "texture"}, {"fill": "texture"}, {"fill": "texture", "seed": 1}, {"fill": "smooth"})
    )
    np.testing.assert_array_equal(first, again)
    assert (first != another).any()
    np.testing.assert_array_equal(first[~mask], pixels[~mask])
    assert smooth[mask].std() < 0.3 * pixels.std() < first[mask].std()


def test_a_fill_that_is_none_is_refused(guess):
    with pytest.raises(InputError, match="fill must be one of auto, texture, smooth, not 'rough'"):
        Inpainter(guess, metadata())(noise(20, 30), hole(20, 30), fill="rough")
