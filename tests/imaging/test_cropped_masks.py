import tracemalloc

import numpy as np

from edgevision.imaging.cropped_masks import CroppedMask, mask_overlap, paint_ids, split_ids


def test_a_map_of_numbers_comes_apart_and_together_again():
    ids = np.random.default_rng(0).integers(0, 30, (40, 50)) * 3
    found = split_ids(ids)
    assert list(found) == sorted(set(ids.ravel().tolist()) - {0})
    for number, mask in found.items():
        np.testing.assert_array_equal(mask.in_picture(ids.shape), ids == number)
        rows, columns = np.nonzero(ids == number)
        assert mask.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert mask.area == len(rows)
    np.testing.assert_array_equal(paint_ids(list(found.values()), ids.shape) * 3, ids)


def test_masks_of_many_numbers_all_over_a_map_take_no_memory_each():
    ids = np.random.default_rng(0).integers(1, 151, (400, 500)).astype(np.int32)
    tracemalloc.start()
    found = split_ids(ids)
    areas = [mask.area for mask in found.values()]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(areas) == ids.size
    assert held < ids.size  # one of bool for each would be 150 times as much


def test_a_moved_mask_is_the_same_elsewhere():
    ids = np.zeros((6, 7), np.int32)
    ids[1:3, 2:4] = 5
    ids[2, 3] = 6
    moved = split_ids(ids)[5].moved(1, 2)
    np.testing.assert_array_equal(moved.in_picture((8, 9))[2:, 1:], np.pad(ids == 5, ((0, 0), (0, 1)))[:6, :8])


def test_of_masks_that_overlap_the_first_is_on_top():
    one, other = CroppedMask(np.ones((2, 2), bool), 0, 0), CroppedMask(np.ones((2, 2), bool), 1, 1)
    np.testing.assert_array_equal(paint_ids([one, other], (3, 3)), [[1, 1, 0], [1, 1, 2], [0, 2, 2]])


def test_overlap_is_that_of_the_whole_masks():
    generator = np.random.default_rng(1)
    wholes = [generator.random((30, 40)) < 0.3 for _ in range(4)]
    for index, whole in enumerate(wholes):
        whole[: 4 * index] = False
        whole[:, 20 + 5 * index :] = False
    wholes.append(np.zeros((30, 40), bool))
    masks = [CroppedMask.of(whole) for whole in wholes]
    expected = [[(a & b).sum() / max((a | b).sum(), 1) for b in wholes] for a in wholes]
    np.testing.assert_allclose(mask_overlap(masks, masks), expected)
    assert mask_overlap(masks, []).shape == (5, 0)
