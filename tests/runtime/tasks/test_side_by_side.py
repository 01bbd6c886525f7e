import numpy as np
import pytest

from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.side_by_side import side_by_side

GAP = 8


def noise(height, width, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def panels(picture, count):
    """The panels of a comparison; what lies between them has to be white."""
    width = (picture.pixels.shape[1] - GAP * (count - 1)) // count
    starts = [number * (width + GAP) for number in range(count)]
    for start in starts[1:]:
        np.testing.assert_array_equal(picture.pixels[:, start - GAP : start], 255)
    return [picture.pixels[:, start : start + width] for start in starts]


def test_before_and_after_stand_side_by_side():
    before, after = noise(10, 12), 255 - noise(10, 12)
    compared = side_by_side(Picture(before), Picture(after))
    assert (compared.height, compared.width) == (10, 32)
    assert compared.pixels.dtype == np.uint8
    for panel, expected in zip(panels(compared, 2), (before, after), strict=True):
        np.testing.assert_array_equal(panel, expected)


def test_the_mask_stands_between_them():
    mask = np.eye(10, 12, dtype=bool)
    _, middle, _ = panels(side_by_side(Picture(noise(10, 12)), Picture(noise(10, 12)), mask), 3)
    np.testing.assert_array_equal(middle, (mask[:, :, None] * np.full(3, 255)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_smaller_picture_is_enlarged(channels):
    flat = np.full((5, 6, channels), 90, np.uint8)
    left, right = panels(side_by_side(Picture(flat), Picture(noise(10, 12, channels))), 2)
    np.testing.assert_array_equal(left, np.full((10, 12, 3), 90))
    np.testing.assert_array_equal(right, np.broadcast_to(noise(10, 12, channels), (10, 12, 3)))


def test_gray_is_shown_as_gray():
    gray = noise(10, 12, 1)
    left, _ = panels(side_by_side(Picture(gray), Picture(gray)), 2)
    np.testing.assert_array_equal(left, gray.repeat(3, axis=2))


def test_16_bits_are_shown_as_8():
    deep = noise(10, 12, 1, np.uint16)
    for panel in panels(side_by_side(Picture(deep), Picture(deep)), 2):
        np.testing.assert_allclose(panel, (deep / 257).repeat(3, axis=2), atol=0.51)


def test_a_smaller_picture_of_16_bits_is_enlarged_as_bright_as_it_was():
    left, _ = panels(
        side_by_side(Picture(np.full((5, 6, 1), 90 * 257, np.uint16)), Picture(noise(10, 12, 1, np.uint16))), 2
    )
    np.testing.assert_array_equal(left, np.full((10, 12, 3), 90))


def test_what_is_transparent_is_shown_on_white():
    alpha = np.zeros((10, 12), np.uint8)
    alpha[5:] = 255
    for size in ((10, 12), (20, 24)):
        left, _ = panels(side_by_side(Picture(noise(10, 12), alpha), Picture(noise(*size))), 2)
        np.testing.assert_array_equal(left[: size[0] // 2 - 3], 255)
        assert left[size[0] // 2 + 3 :].mean() < 200


def test_a_smaller_gray_of_16_bits_is_laid_on_white_where_it_is_transparent():
    pixels, alpha = np.full((5, 6, 1), 90 * 257, np.uint16), np.full((5, 6), 65535, np.uint16)
    alpha[:, :3] = 0
    left, _ = panels(side_by_side(Picture(pixels, alpha), Picture(noise(10, 12))), 2)
    np.testing.assert_array_equal(left[:, [0, 11]], np.array([[255, 90]] * 10)[:, :, None].repeat(3, 2))
    assert left.min() == 90
