import io
import sys

import pytest
from PIL import Image

from edgevision.core.errors import ImageError, InputError
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.tasks.restoration.masks import match_masks, split_words


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


def test_the_last_word_is_the_mask():
    assert split_words(["a.jpg", "b.jpg", "masks"], from_alpha=False) == (["a.jpg", "b.jpg"], "masks")
    assert split_words(["a.png"], from_alpha=True) == (["a.png"], None)


def test_a_picture_without_a_mask_says_what_to_do():
    with pytest.raises(InputError, match=r"and then the mask.*--mask-from-alpha"):
        split_words(["a.jpg"], from_alpha=False)
