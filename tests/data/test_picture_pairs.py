import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError, ImageError
from edgevision.data.picture_pairs import PairedFolder, halves

RED, BLUE = (200, 30, 30), (30, 30, 200)


def write(path, color, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(color, int) else "RGB", size, color).save(path)


def colors(image):
    return [tuple(map(int, half.mean(axis=(0, 1)))) for half in halves(np.asarray(image))]


def test_pictures_of_one_name_in_two_folders_are_pairs(tmp_path, caplog):
    for split in ("train", "test"):
        write(tmp_path / split / "A" / "1.png", 90)
        write(tmp_path / split / "B" / "1.bmp", RED)
    write(tmp_path / "test" / "A" / "deep" / "2.png", BLUE)
    write(tmp_path / "test" / "B" / "deep" / "2.png", RED)
    write(tmp_path / "test" / "A" / "alone.png", BLUE)
    folder = PairedFolder(tmp_path, ("test",))
    assert folder.names == ("test/A/1.png", "test/A/deep/2.png")
    assert [colors(folder.image(index)) for index in range(2)] == [[(90, 90, 90), RED], [BLUE, RED]]
    assert "1 pictures of" in caplog.text
    assert "alone" in caplog.text
    assert folder.another_split(("train",)).names == ("train/A/1.png",)
    chosen = folder.only(lambda name: name.endswith("2.png"))
    assert (len(chosen), chosen.names, len(folder)) == (1, ("test/A/deep/2.png",), 2)
    assert colors(chosen.image(0)) == [BLUE, RED]


def test_a_picture_that_shows_both_is_a_pair(tmp_path):
    both = np.concatenate([np.full((4, 6, 3), RED, np.uint8), np.full((4, 6, 3), BLUE, np.uint8)], axis=1)
    Image.fromarray(both).save(tmp_path / "1.png")
    write(tmp_path / "2.png", 70, (7, 4))
    folder = PairedFolder(tmp_path)
    assert colors(folder.image(0)) == [RED, BLUE]
    with pytest.raises(ImageError, match=r"'2\.png' in .* is 7 pixels wide"):
        folder.image(1)


def test_what_is_no_pair_is_refused(tmp_path):
    write(tmp_path / "a" / "1.png", RED)
    write(tmp_path / "b" / "2.png", RED)
    with pytest.raises(DatasetError, match=r"no picture in A .* has the name of one in B"):
        PairedFolder(tmp_path)
    write(tmp_path / "b" / "1.png", RED, (6, 5))
    with pytest.raises(ImageError, match="is 6x4, its partner 6x5"):
        PairedFolder(tmp_path).image(0)
