import numpy as np

from edgevision.imaging.mask_tidying import tidied, without_holes


def test_specks_go_pinholes_are_filled_and_what_one_sees_through_stays() -> None:
    mask = np.zeros((60, 80), np.bool_)
    mask[10:50, 10:50] = True
    mask[10:50, 60:66] = True  # another of them
    mask[5, 5] = mask[55, 70] = False
    drawn = mask.copy()
    drawn[20:30, 20:30] = mask[20:30, 20:30] = False
    mask[3:6, 3:6] = True
    mask[40:43, 40:43] = False
    np.testing.assert_array_equal(tidied(mask), drawn)


def test_a_bay_at_the_pictures_edge_is_no_hole() -> None:
    mask = np.ones((40, 40), np.bool_)
    mask[0, 20] = mask[39, 0] = False
    np.testing.assert_array_equal(tidied(mask), mask)
    assert not tidied(np.zeros((5, 6), np.bool_)).any()


def test_what_is_enclosed_is_filled_up_to_a_share_of_the_mask() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[5:35, 5:35] = True
    whole = mask.copy()
    mask[10:18, 10:18] = False
    np.testing.assert_array_equal(without_holes(mask, 0.1), whole)
    np.testing.assert_array_equal(without_holes(mask, 0.05), mask)
