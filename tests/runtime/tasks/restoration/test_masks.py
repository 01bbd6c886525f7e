import io
import sys

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import ImageError, InputError
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.tasks.restoration.masks import (
    mask_from_alpha,
    masks_for,
    match_masks,
    read_mask,
    split_off_mask,
)


def hole(height, width, top=5, left=7, rows=6, columns=8):
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    return mask


def test_a_mask_of_another_size_is_scaled_without_interpolation():
    small = np.zeros((10, 15), np.uint8)
    small[2, 3], small[5, 6] = 255, 100
    mask = read_mask(small, 40, 60)
    np.testing.assert_array_equal(mask, (small > 127).repeat(4, axis=0).repeat(4, axis=1))
    np.testing.assert_array_equal(read_mask(mask.astype(np.uint8) * 255, 10, 15), small > 127)


def test_a_mask_of_rounded_proportions_is_taken():
    assert read_mask(np.full((33, 50), 255, np.uint8), 200, 300).all()


@pytest.mark.parametrize("shape", [(30, 20), (20, 33), (20, 20)])
def test_a_mask_of_other_proportions_is_refused(shape):
    with pytest.raises(ImageError, match=rf"the mask is {shape[1]}x{shape[0]} and the picture 30x20"):
        read_mask(np.zeros(shape, np.uint8), 20, 30)


def test_a_bool_mask_has_to_have_the_pictures_size():
    with pytest.raises(ImageError, match=r"the mask is \(10, 15\) and the picture \(20, 30\)"):
        read_mask(np.zeros((10, 15), bool), 20, 30)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "CMYK"])
def test_a_mask_is_read_in_any_mode(tmp_path, mode):
    mask = hole(20, 30)
    Image.fromarray(mask.astype(np.uint8) * 255).convert(mode).save(tmp_path / "mask.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif", 20, 30), mask)


def test_a_mask_of_16_bits_is_read():
    mask = hole(20, 30)
    image = Image.fromarray(np.where(mask, 40_000, 20_000).astype(np.uint16))
    np.testing.assert_array_equal(read_mask(image, 20, 30), mask)


def test_what_is_transparent_in_a_mask_is_not_filled():
    mask = np.full((20, 30, 4), 255, np.uint8)
    mask[:10, :, 3] = 0
    np.testing.assert_array_equal(read_mask(mask, 20, 30), np.arange(20)[:, None].repeat(30, axis=1) >= 10)


def test_of_a_mask_of_16_bits_too_what_is_transparent_is_not_filled(tmp_path):
    samples = np.full((6, 8), 65535, np.uint16)
    samples[2:4] = 60000
    Image.fromarray(samples).save(tmp_path / "mask.png", transparency=65535)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", 6, 8), samples == 60000)


def test_the_middle_gray_is_the_border():
    np.testing.assert_array_equal(read_mask(np.array([[127, 128]], np.uint8), 1, 2), [[False, True]])


def test_a_mask_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"mask\.png"):
        read_mask(tmp_path / "mask.png", 20, 30)


def test_half_transparent_counts_as_a_hole():
    alpha = np.array([[0, 127, 128, 255]], np.uint8)
    np.testing.assert_array_equal(
        mask_from_alpha(Picture(np.zeros((1, 4, 3), np.uint8), alpha)), [[True, True, False, False]]
    )


def test_a_bool_mask_may_have_a_channel():
    mask = hole(20, 30)
    np.testing.assert_array_equal(read_mask(mask[:, :, None], 20, 30), mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_integers_of_0_and_1_are_a_mask_of_any_type(dtype, channels):
    mask = hole(20, 30)
    ones = np.broadcast_to(mask.reshape(20, 30, *(1 for _ in channels)), (20, 30, *channels)).astype(dtype)
    np.testing.assert_array_equal(read_mask(ones, 20, 30), mask)
    np.testing.assert_array_equal(read_mask(ones, 40, 60), mask.repeat(2, axis=0).repeat(2, axis=1))


def test_one_lighter_sample_makes_a_mask_one_of_gray_again():
    mask = np.ones((20, 30), np.uint8)
    mask[3, 4] = 200
    np.testing.assert_array_equal(np.argwhere(read_mask(mask, 20, 30)), [[3, 4]])


def test_several_pictures_take_as_many_masks_or_one_for_all():
    mask = hole(20, 30)
    assert masks_for(mask, 3, several=True) == [mask] * 3
    assert masks_for("mask.png", 2, several=True) == ["mask.png"] * 2
    masks = np.stack([mask, ~mask])
    for stack in (masks, masks.astype(np.uint8), masks.astype(np.int64)[..., None], [mask, ~mask]):
        first, second = masks_for(stack, 2, several=True)
        assert (first.astype(bool).squeeze() == mask).all()
        assert (second.astype(bool).squeeze() == ~mask).all()
    with pytest.raises(ValueError, match="3 pictures take as many masks, or one for all, not 2"):
        masks_for([mask, mask], 3, several=True)


@pytest.fixture
def folder(tmp_path):
    """Write black pictures of the given names below a new folder."""

    def write(root, *names):
        for name in names:
            (tmp_path / root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2)).save(tmp_path / root / name, format="PNG")
        return tmp_path / root

    return write


def test_one_mask_serves_all_pictures(folder):
    mask = folder("masks", "m.png") / "m.png"
    find = match_masks(str(mask))
    assert [find(picture) for picture in expand_inputs([str(folder("photos", "a.jpg", "deep/b.jpg"))])] == [mask, mask]


def test_a_folder_of_one_mask_is_still_matched_by_name(folder):
    find = match_masks(str(folder("masks", "a.png")))
    a, b = expand_inputs([str(folder("photos", "a.jpg", "b.jpg"))])
    assert find(a).name == "a.png"
    with pytest.raises(ImageError, match=r"b\.jpg: .*masks' holds no mask of that name"):
        find(b)


def test_masks_lie_as_the_pictures_do_whatever_their_ending(folder):
    masks = folder("masks", "a.png", "deep/a.png", "deep/c.bmp")
    find = match_masks(str(masks))
    pictures = expand_inputs([str(folder("photos", "a.jpg", "deep/a.webp", "deep/c.png"))])
    assert [find(picture) for picture in pictures] == [masks / name for name in ("a.png", "deep/a.png", "deep/c.bmp")]


def test_a_mask_at_another_place_is_found_by_its_stem_where_it_is_the_only_one(folder):
    masks = folder("masks", "sub/a.png", "one/b.png", "two/b.png")
    find = match_masks(str(masks))
    a, b = expand_inputs([str(folder("photos", "a.jpg", "b.jpg"))])
    assert find(a) == masks / "sub/a.png"
    with pytest.raises(ImageError, match="holds 2 masks of that name"):
        find(b)


def test_a_glob_of_masks_is_matched_by_name(folder):
    masks = folder("masks", "a.png", "b.png", "b.txt.png")
    find = match_masks(f"{masks}/*.png")
    a, b = expand_inputs([str(folder("photos", "a.jpg", "b.jpg"))])
    assert (find(a), find(b)) == (masks / "a.png", masks / "b.png")


def test_a_mask_comes_from_standard_input(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bytes")))
    find = match_masks("-")
    (picture,) = expand_inputs([str(folder("photos", "a.jpg"))])
    assert find(picture) == b"bytes"


def test_a_folder_without_masks_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        match_masks(str(tmp_path))


def test_what_is_named_last_is_the_mask():
    assert split_off_mask(["a.jpg", "b.jpg", "masks"], from_alpha=False) == (["a.jpg", "b.jpg"], "masks")
    assert split_off_mask(["a.png"], from_alpha=True) == (["a.png"], None)


def test_a_picture_without_a_mask_says_what_to_do():
    with pytest.raises(InputError, match=r"and then the mask.*--mask-from-alpha"):
        split_off_mask(["a.jpg"], from_alpha=False)
