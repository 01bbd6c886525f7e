"""Class folders on disk and in zips."""

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError, ImageError
from edgevision.data.datasets import ImageFolder, is_held_out


def picture(value: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (value, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def store(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write ``files`` as a zip where ``path`` ends in .zip, below a folder elsewhere."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


CLASSES = {"cat/a.png": picture(1), "cat/b.jpg": picture(2), "dog/a.PNG": picture(3), "dog/notes.txt": b"good dog"}
either = pytest.mark.parametrize("place", ["data", "data.zip"])


@either
def test_class_folders_become_labels(tmp_path: Path, place: str) -> None:
    data = ImageFolder(store(tmp_path / place, CLASSES))
    assert data.class_names == ("cat", "dog")
    assert data.names == ("cat/a.png", "cat/b.jpg", "dog/a.PNG")
    assert data.labels.tolist() == [0, 0, 1]
    assert data.labels.dtype == np.int64
    assert (data.split, data.splits, len(data)) == ("", (), 3)
    assert [data.image(i).getpixel((0, 0)) for i in range(3)] == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]


@either
@pytest.mark.parametrize("top", ["cats-and-dogs", "download/v2"])
def test_a_wrapping_folder_is_looked_through(tmp_path: Path, place: str, top: str) -> None:
    data = ImageFolder(store(tmp_path / place, {f"{top}/{name}": content for name, content in CLASSES.items()}))
    assert data.class_names == ("cat", "dog")
    assert data.image(2).getpixel((0, 0)) == (3, 0, 0)


@either
@pytest.mark.parametrize("top", ["", "download/"])
@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Training", "valid", "testing"), ("TRAIN", "validation", "Test")],
)
def test_splits_are_known_by_their_usual_names(
    tmp_path: Path, place: str, top: str, train: str, val: str, test: str
) -> None:
    files = {
        f"{top}{split}/{name}/{i}.png": picture()
        for split, count in ((train, 3), (val, 2), (test, 1))
        for name in ("cat", "dog")
        for i in range(count)
    }
    path = store(tmp_path / place, files)
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        data = ImageFolder(path, (split,))
        assert (data.split, len(data), data.class_names) == (split, count, ("cat", "dog"))
        assert data.splits == ("test", "train", "val")
    assert ImageFolder(path).split == "test"


def test_the_first_split_that_exists_is_taken(tmp_path: Path) -> None:
    path = store(tmp_path / "data", {"train/cat/a.png": picture(), "val/cat/a.png": picture()})
    assert ImageFolder(path, ("test", "val")).split == "val"


def test_a_missing_split_lists_what_is_there(tmp_path: Path) -> None:
    path = store(tmp_path / "data", {"train/cat/a.png": picture(), "val/cat/a.png": picture()})
    with pytest.raises(DatasetError, match=r"no split 'test'; it has train, val"):
        ImageFolder(path, ("test",))


def test_a_split_is_ignored_where_the_data_is_not_divided(tmp_path: Path) -> None:
    assert len(ImageFolder(store(tmp_path / "data", CLASSES), ("test",))) == 3


def test_a_class_beside_split_names_means_that_they_are_classes(tmp_path: Path) -> None:
    path = store(tmp_path / "data", {"train/a.png": picture(), "bus/a.png": picture()})
    assert ImageFolder(path).class_names == ("bus", "train")


@either
def test_a_flat_folder_has_no_classes(tmp_path: Path, place: str) -> None:
    data = ImageFolder(store(tmp_path / place, {"a.png": picture(), "b.png": picture()}))
    assert data.class_names == ()
    assert data.labels.tolist() == [-1, -1]


def test_pictures_beside_class_folders_mean_that_there_are_no_classes(tmp_path: Path) -> None:
    data = ImageFolder(store(tmp_path / "data", CLASSES | {"stray.png": picture()}))
    assert data.class_names == ()
    assert set(data.labels.tolist()) == {-1}


@either
def test_hidden_files_and_what_a_mac_leaves_are_ignored(tmp_path: Path, place: str) -> None:
    litter = {
        "__MACOSX/cat/._a.png": b"mac",
        "cat/._a.png": b"mac",
        ".thumbnails/x.png": picture(),
        "cat/.hidden.png": picture(),
        "Thumbs.db": b"",
    }
    data = ImageFolder(store(tmp_path / place, CLASSES | litter))
    assert data.names == ("cat/a.png", "cat/b.jpg", "dog/a.PNG")
    assert data.class_names == ("cat", "dog")


def test_folders_inside_a_class_belong_to_it(tmp_path: Path) -> None:
    data = ImageFolder(store(tmp_path / "data", {"cat/tabby/a.png": picture(), "dog/b.png": picture()}))
    assert data.class_names == ("cat", "dog")


@either
def test_data_without_pictures_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(DatasetError, match="holds no pictures"):
        ImageFolder(store(tmp_path / place, {"cat/readme.txt": b"no"}))


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        ImageFolder(tmp_path / "nowhere")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_a_broken_zip_is_refused(tmp_path: Path, keep: float) -> None:
    path = store(tmp_path / "data.zip", CLASSES)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DatasetError, match="neither a folder nor an intact zip"):
        ImageFolder(path)


def test_damage_inside_a_zip_names_the_picture(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(500)
    path = store(tmp_path / "data.zip", {"cat/a.png": noise + bytes(3000) + noise})
    content = path.read_bytes()
    start = content.index(b"cat/a.png") + len(b"cat/a.png")
    end = content.index(b"PK\x01\x02")
    seen = set()
    for position in range(start, end - 40, 8):
        damaged = bytearray(content)
        damaged[position : position + 8] = b"\xff" * 8
        path.write_bytes(damaged)
        with pytest.raises(ImageError, match=r"'cat/a\.png' in .*cannot be unpacked") as caught:
            ImageFolder(path).image(0)
        seen.add(type(caught.value.__cause__.__cause__).__name__)
    assert seen == {"BadZipFile", "error"}  # both a wrong checksum and a broken deflate stream occurred


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path / "data.zip", {"cat/a.png": picture()})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the local header and the one in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ImageError, match="encrypted"):
        ImageFolder(path).image(0)


KINDS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def packed(path: Path, kind: int, name: str = "cat/a.png", content: bytes | None = None) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr(name, picture(7) if content is None else content)
        archive.writestr("cat/good.png", picture(8))
    return path


def test_a_member_of_a_zip_without_a_name_is_passed_over(tmp_path: Path) -> None:
    data = packed(tmp_path / "data.zip", zipfile.ZIP_STORED, name="QQ")
    data.write_bytes(data.read_bytes().replace(b"QQ", b"\0Q"))  # what follows a zero is not read
    assert ImageFolder(data).names == ("cat/good.png",)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_compression_is_read_and_its_damage_is_that_pictures(tmp_path: Path, kind: int) -> None:
    path = packed(tmp_path / "data.zip", kind)
    assert ImageFolder(path).image(0).getpixel((0, 0)) == (7, 0, 0)
    content = bytearray(path.read_bytes())
    start = content.index(b"cat/a.png") + len(b"cat/a.png")
    content[start + 12 : start + 20] = b"\xff" * 8
    path.write_bytes(content)
    data = ImageFolder(path)
    with pytest.raises(ImageError, match=r"'cat/a\.png' in .* cannot be unpacked"):
        data.image(0)
    assert data.image(1).getpixel((0, 0)) == (8, 0, 0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("stated", [None, 1000])
def test_a_member_is_not_unpacked_beyond_what_a_picture_may_have_nor_beyond_what_it_says(
    tmp_path: Path, kind: int, stated: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevision.data.datasets.LARGEST_IN_MEMORY", 10_000_000)
    size = 120_000_000 if stated else 20_000_000
    path = packed(tmp_path / "data.zip", kind, content=bytes(size))
    if stated is not None:
        true, false = (number.to_bytes(4, "little") for number in (size, stated))
        path.write_bytes(path.read_bytes().replace(true, false))
    data = ImageFolder(path)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="cannot be unpacked" if stated else "would unpack to 19 MB, .* 9 MB"):
            data.image(0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # LZMA gives up to seven thousand times the 4 kB that it is fed with.
    assert peak < 80_000_000


@pytest.mark.parametrize("name", ["/abs/cat/a.png", "../cat/a.png", "cat/../../a.png", "C:/a.png", "//server/a.png"])
def test_a_path_that_leads_outside_a_zip_is_left_out_and_named(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = ImageFolder(packed(tmp_path / "data.zip", zipfile.ZIP_STORED, name))
    assert data.names == ("cat/good.png",)
    assert name in caplog.text


@pytest.mark.parametrize(
    ("place", "field"), [(6, b"\xff\x00"), (42, b"\xff" * 4), (20, b"\xff" * 8)], ids=["version", "offset", "sizes"]
)
def test_a_directory_of_a_zip_that_lies_is_a_sentence(tmp_path: Path, place: int, field: bytes) -> None:
    path = packed(tmp_path / "data.zip", zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02") + place
    content[start : start + len(field)] = field
    path.write_bytes(content)
    with pytest.raises((ImageError, DatasetError), match=r"data\.zip"):
        ImageFolder(path).image(0)


def test_a_folder_in_a_zip_that_is_called_like_a_picture_is_none(tmp_path: Path) -> None:
    assert ImageFolder(packed(tmp_path / "data.zip", zipfile.ZIP_STORED, "cat/a.png/", b"")).names == ("cat/good.png",)


def test_a_zip_with_the_separators_of_windows_has_folders_too(tmp_path: Path) -> None:
    data = ImageFolder(store(tmp_path / "data.zip", {name.replace("/", "\\"): file for name, file in CLASSES.items()}))
    assert data.class_names == ("cat", "dog")
    assert pickle.loads(pickle.dumps(data)).image(2).getpixel((0, 0)) == (3, 0, 0)


def test_a_picture_that_went_away_is_that_pictures_error(tmp_path: Path) -> None:
    data = ImageFolder(store(tmp_path / "data", CLASSES))
    (tmp_path / "data/cat/a.png").unlink()
    with pytest.raises(ImageError, match=r"'cat/a\.png' in .*No such file"):
        data.image(0)
    os.mkfifo(tmp_path / "data/cat/a.png")
    with pytest.raises(ImageError, match="not a regular file"):
        data.image(0)


@either
def test_a_damaged_picture_is_named(tmp_path: Path, place: str) -> None:
    data = ImageFolder(store(tmp_path / place, {"cat/good.png": picture(), "cat/bad.png": picture()[:40]}))
    with pytest.raises(ImageError, match=r"'cat/bad\.png'"):
        data.image(0)
    assert data.image(1).size == (4, 3)


@either
def test_an_opened_data_set_can_be_sent_to_another_process(tmp_path: Path, place: str) -> None:
    data = ImageFolder(store(tmp_path / place, CLASSES))
    data.image(0)
    again = pickle.loads(pickle.dumps(data))
    assert again.names == data.names
    assert again.image(2).getpixel((0, 0)) == (3, 0, 0)


@pytest.mark.parametrize("start", ["fork", "spawn"])
# Python warns of forking a process that has threads; the workers here only read files.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_workers_read_the_same_zip_at_the_same_time(tmp_path: Path, start: str, need: Callable[[str], None]) -> None:
    need("torch")
    from torch.utils.data import DataLoader

    path = store(tmp_path / "data.zip", {f"cat/{i:03}.png": picture(i) for i in range(60)})
    data = ImageFolder(path)
    data.image(0)  # the archive is open before the workers start
    loader = DataLoader(range(60), batch_size=5, num_workers=2, collate_fn=_Reds(data), multiprocessing_context=start)
    assert [red for batch in loader for red in batch] == list(range(60))


def test_about_a_tenth_of_all_file_names_is_held_out() -> None:
    share = np.mean([is_held_out(f"photo-{number}.jpg") for number in range(10_000)])
    # Four standard deviations of a binomial share: 4 sqrt(0.1 * 0.9 / 10000) = 0.012.
    assert share == pytest.approx(0.1, abs=0.012)


def test_what_is_held_out_depends_on_the_file_name_alone() -> None:
    for name in (f"{number}.png" for number in range(100)):
        assert len({is_held_out(folder + name) for folder in ("", "train/", "data/cat/", "a.png/")}) == 1
    # It must not change from release to release: published networks were not trained on these.
    assert [number for number in range(40) if is_held_out(f"{number:03}.png")] == [5, 6, 32, 36, 37]


class _Reds:
    def __init__(self, data: ImageFolder) -> None:
        self._data = data

    def __call__(self, indices: list[int]) -> list[int]:
        return [self._data.image(index).getpixel((0, 0))[0] for index in indices]


@either
def test_the_first_picture_of_several_frames_is_named_and_no_other(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 255)])
    data = ImageFolder(store(tmp_path / place, {"a.gif": stream.getvalue(), "b.gif": stream.getvalue()}))
    for index in (0, 1, 0, 1):
        data.image(index)
    (remark,) = (record.getMessage() for record in caplog.records)
    assert remark.startswith("'a.gif' in ")
    assert "several frames, only the first is read" in remark
