"""Pictures to calibrate with are held with their names and classes, without those that are broken."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.data.datasets import ImageFolder
from edgevision.exporters.quantization.calibration_pictures import Pictures, divide

WriteFolders = Callable[[Path, Mapping[str, int]], Path]


def test_pictures_keep_their_names_and_classes_and_leave_out_what_is_broken(
    write_class_folders: WriteFolders, tmp_path: Path
) -> None:
    root = write_class_folders(tmp_path / "data", {"cat": 2, "dog": 2, "emu": 1})
    (root / "cat" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (root / "dog" / "000.png").write_bytes(b"")
    data = ImageFolder(root)
    pictures = Pictures(data, [4, 0, 1, 2, 3])
    assert pictures.names == ("emu/000.png", "cat/000.png", "dog/001.png")
    assert pictures.labels.tolist() == [2, 0, 1]
    assert pictures.class_names == ("cat", "dog", "emu")
    assert len(pictures) == 3
    assert list(pictures.failures) == ["cat/001.png", "dog/000.png"]
    assert "001.png" in pictures.failures["cat/001.png"]
    assert np.array_equal(np.asarray(pictures.image(1)), np.asarray(data.image(0)))


def test_nothing_but_broken_pictures_is_no_picture_at_all(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    pictures = Pictures(ImageFolder(tmp_path), [0])
    assert len(pictures) == 0
    assert pictures.labels.tolist() == []
    assert list(pictures.failures) == ["broken.png"]


@pytest.mark.parametrize(
    ("size", "side", "left", "top"), [((9, 6), 4, 2, 1), ((3, 9), 4, 0, 2), ((3, 2), 4, 0, 0), ((9, 6), None, 0, 0)]
)
def test_the_middle_is_cut_out_of_large_pictures(
    tmp_path: Path, size: tuple[int, int], side: int | None, left: int, top: int
) -> None:
    width, height = size
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    found = np.asarray(Pictures(ImageFolder(tmp_path), [0], side).image(0))
    assert np.array_equal(found, pixels[top : top + (side or height), left : left + (side or width)])


def test_pictures_can_be_dealt_out(write_class_folders: WriteFolders, tmp_path: Path) -> None:
    every = Pictures(ImageFolder(write_class_folders(tmp_path / "data", {"cat": 3, "dog": 2})), range(5))
    shares = [every.every(3, start) for start in range(3)]
    assert [share.names for share in shares] == [every.names[0::3], every.names[1::3], every.names[2::3]]
    assert [share.labels.tolist() for share in shares] == [[0, 1], [0, 1], [0]]
    assert np.array_equal(np.asarray(shares[1].image(1)), np.asarray(every.image(4)))
    assert [len(every.every(6, start)) for start in range(6)] == [1, 1, 1, 1, 1, 0]
    assert len(every) == 5


@pytest.mark.parametrize(
    ("count", "wanted", "calibrated", "judged"), [(300, 1000, 150, 150), (90, 1000, 20, 70), (300, 40, 64, 40)]
)
def test_of_one_folder_what_does_not_calibrate_judges(
    write_class_folders: WriteFolders, tmp_path: Path, count: int, wanted: int, calibrated: int, judged: int
) -> None:
    divided = divide(write_class_folders(tmp_path / "data", {"cat": count}), None, wanted)
    assert not set(divided.seen) & set(divided.held)
    assert divided.most == count // 2
    ours = divided.seen[:calibrated]
    theirs = divided.judged_without(ours)
    assert not set(ours) & set(theirs)
    assert len(set(theirs)) == judged
    assert theirs == sorted(theirs)


@pytest.mark.parametrize(("count", "most"), [(12, 16), (30, 16), (33, 17)])
def test_of_a_small_folder_some_calibrate_however_few_there_are(
    write_class_folders: WriteFolders, tmp_path: Path, count: int, most: int
) -> None:
    assert divide(write_class_folders(tmp_path / "data", {"cat": count}), None, 1000).most == most
