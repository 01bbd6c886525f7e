import numpy as np
import pytest

from edgevision.imaging.contact_sheet import contact_sheet


def flat(count, height=3, width=5, channels=3):
    """``count`` pictures, each of one shade: 10, 20, 30 ..."""
    shades = 10 * np.arange(1, count + 1, dtype=np.uint8)
    return np.broadcast_to(shades[:, None, None, None], (count, height, width, channels)).copy()


def test_pictures_lie_row_by_row_with_two_white_pixels_between():
    sheet = contact_sheet(flat(6), 3)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (3 + 2 + 3, 5 + 2 + 5 + 2 + 5, 3)
    row = [10] * 5 + [255] * 2 + [20] * 5 + [255] * 2 + [30] * 5
    next_row = [40] * 5 + [255] * 2 + [50] * 5 + [255] * 2 + [60] * 5
    expected = np.array([row] * 3 + [[255] * 19] * 2 + [next_row] * 3)
    for channel in range(3):
        np.testing.assert_array_equal(sheet[:, :, channel], expected)


def test_every_pixel_of_a_picture_is_kept():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 3), dtype=np.uint8)
    sheet = contact_sheet(pictures, 2)
    np.testing.assert_array_equal(sheet[5:8, 7:12], pictures[3])


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (5, 3, 2), (10, 4, 3), (17, 5, 4)]
)
def test_a_sheet_is_as_square_as_possible(count, columns, rows):
    sheet = contact_sheet(flat(count), None)
    assert sheet.shape[:2] == (rows * 5 - 2, columns * 7 - 2)


def test_what_is_left_of_the_last_row_is_white():
    sheet = contact_sheet(flat(5), 3)
    assert (sheet[5:, 14:] == 255).all()
    assert (sheet[5:, 7:12] == 50).all()


@pytest.mark.parametrize(("columns", "shape"), [(1, (4 * 5 - 2, 5)), (4, (3, 4 * 7 - 2)), (6, (3, 6 * 7 - 2))])
def test_columns_are_as_asked_for(columns, shape):
    assert contact_sheet(flat(4), columns).shape[:2] == shape


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_stays_gray(channels):
    assert contact_sheet(flat(4, channels=channels)).shape == (8, 12, channels)


def test_one_picture_has_no_border():
    np.testing.assert_array_equal(contact_sheet(flat(1)), flat(1)[0])
