import numpy as np
import pytest
from pycocotools import mask as coco

from edgevision.imaging.run_lengths import decode_mask, encode_mask


def masks():
    generator = np.random.default_rng(0)
    for number in range(150):
        shape = generator.integers(1, 40, 2)
        mask = generator.random(shape) < generator.choice([0, 0.02, 0.5, 0.97, 1])
        yield np.kron(mask, np.ones((5, 7), bool)) if number % 3 == 0 else mask


def test_runs_are_those_of_pycocotools():
    for mask in masks():
        expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        runs = encode_mask(mask, mask.shape)
        assert runs == {"size": expected["size"], "counts": expected["counts"].decode()}
        np.testing.assert_array_equal(decode_mask(runs), mask)
        np.testing.assert_array_equal(decode_mask(expected), mask)


def test_a_part_of_a_picture_has_the_runs_of_the_whole():
    for mask in masks():
        height, width = mask.shape
        whole = np.zeros((height + 9, width + 5), bool)
        whole[3 : 3 + height, 4 : 4 + width] = mask
        assert encode_mask(mask, whole.shape, (4, 3)) == encode_mask(whole, whole.shape)


def test_runs_may_be_numbers():
    np.testing.assert_array_equal(decode_mask({"size": [2, 2], "counts": [1, 2, 1]}), [[False, True], [True, False]])


@pytest.mark.parametrize("counts", ["05", [1, 2], [5, -1], "\x01", "é"])
def test_runs_of_another_size_are_refused(counts):
    with pytest.raises(ValueError, match=r"runs"):
        decode_mask({"size": [2, 2], "counts": counts})
