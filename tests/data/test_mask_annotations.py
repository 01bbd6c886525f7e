import zipfile

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder
from edgevision.data.mask_annotations import VOID, MaskedFolder, MaskKind


def write(folder, masks, *, picture="{}.jpg", mask="{}.png"):
    for number, values in enumerate(masks):
        for path in (picture.format(number), mask.format(number)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 2)).save(folder / picture.format(number))
        Image.fromarray(np.asarray(values)).save(folder / mask.format(number))
    return ImageFolder(folder)


def test_masks_beside_pictures_are_no_pictures(tmp_path):
    folder = write(tmp_path, [np.zeros((2, 4), np.uint8)] * 3)
    assert folder.names == ("0.jpg", "1.jpg", "2.jpg")
    assert folder.masks == {"0.jpg": "0.png", "1.jpg": "1.png", "2.jpg": "2.png"}


def test_a_png_that_stands_alone_is_a_picture_and_so_are_the_others(tmp_path):
    write(tmp_path, [np.zeros((2, 4), np.uint8)] * 2)
    Image.new("RGB", (4, 2)).save(tmp_path / "alone.png")
    folder = ImageFolder(tmp_path)
    assert len(folder) == 5
    with pytest.raises(DatasetError, match=r"has no masks to compare with: NAME.png beside each NAME.jpg"):
        MaskedFolder(folder)


@pytest.mark.parametrize("names", ["masks/{}.png", "labels/{}.png", "train/annotations/{}.png"])
def test_masks_lie_in_a_folder_beside_that_of_the_pictures(tmp_path, names):
    pictures = names.replace("masks", "images").replace("labels", "images").replace("annotations", "images")
    folder = write(tmp_path, [np.full((2, 4), 3, np.uint8)] * 2, picture=pictures, mask=names)
    masked = MaskedFolder(folder)
    assert masked.names == tuple(pictures.format(number) for number in range(2))
    assert (masked.class_map(masked.names[1]) == 3).all()


def test_what_the_list_of_classes_does_not_name_is_of_no_class(tmp_path):
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    masked = MaskedFolder(write(tmp_path, [np.array([[0, 1, 2, 255]] * 2, np.uint8)]))
    assert (masked.kind, masked.class_names) == (MaskKind.CLASSES, ("sky", "road"))
    np.testing.assert_array_equal(masked.class_map("0.jpg")[0], [0, 1, VOID, VOID])
    with pytest.raises(DatasetError, match=r"are of classes, not of things"):
        masked.instance_map("0.jpg")


def test_void_is_no_class_wherever_the_list_has_it(tmp_path):
    (tmp_path / "classes.txt").write_text("0 sky\n1 void\n2 stop sign\n3 Unlabelled\n")
    masked = MaskedFolder(write(tmp_path, [np.array([[0, 1, 2, 3]] * 2, np.uint8)]))
    assert masked.class_names == ("sky", "void", "stop sign")
    np.testing.assert_array_equal(masked.class_map("0.jpg")[0], [0, VOID, 2, VOID])


def test_a_palette_is_read_by_its_numbers(tmp_path):
    folder = write(tmp_path, [np.zeros((2, 4), np.uint8)])
    image = Image.fromarray(np.array([[0, 1, 2, 5]] * 2, np.uint8))
    image.putpalette(range(48))
    image.save(tmp_path / "0.png")
    masked = MaskedFolder(folder)
    assert masked.class_names == tuple(f"class {index}" for index in range(6))
    np.testing.assert_array_equal(masked.class_map("0.jpg")[1], [0, 1, 2, 5])


def test_numbers_in_16_bits_are_things(tmp_path):
    masked = MaskedFolder(write(tmp_path, [np.array([[0, 1, 300, 300]] * 2, np.uint16)]))
    assert (masked.kind, masked.class_names) == (MaskKind.THINGS, ("background", "thing"))
    np.testing.assert_array_equal(masked.instance_map("0.jpg")[0], [0, 1, 300, 300])
    np.testing.assert_array_equal(masked.class_map("0.jpg")[0], [0, 1, 1, 1])


def test_black_and_white_is_background_and_foreground(tmp_path):
    masked = MaskedFolder(write(tmp_path, [np.array([[0, 255, 0, 255]] * 2, np.uint8)]))
    assert masked.kind is MaskKind.FOREGROUND
    np.testing.assert_array_equal(masked.class_map("0.jpg")[0], [0, 1, 0, 1])


def test_colours_are_no_mask(tmp_path):
    folder = write(tmp_path, [np.zeros((2, 4, 3), np.uint8)])
    with pytest.raises(DatasetError, match=r"the mask '0.png' is RGB; masks are PNG"):
        MaskedFolder(folder)


def test_a_damaged_mask_is_named(tmp_path):
    folder = write(tmp_path, [np.zeros((2, 4), np.uint8)])
    (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes()[:40])
    with pytest.raises(DatasetError, match=r"the mask '0.png' in "):
        MaskedFolder(folder)


@pytest.mark.parametrize(
    ("name", "kind", "classes", "count"),
    [("camvid", "classes", 11, 367), ("nuclei", "things", 2, 526), ("salient", "foreground", 2, 229)],
)
def test_the_shared_data_are_read(shared, name, kind, classes, count):
    path = shared / "data" / f"{name}.zip"
    masked = MaskedFolder(ImageFolder(path, ("train",)))
    assert (masked.kind, len(masked.class_names), len(masked)) == (kind, classes, count)
    with zipfile.ZipFile(path) as archive:
        assert 2 * count == sum(entry.startswith("train/") for entry in archive.namelist())
    image = masked.folder.image(0)
    assert masked.class_map(masked.names[0]).shape == (image.height, image.width)
