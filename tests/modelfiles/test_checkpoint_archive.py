"""A checkpoint's zip is believed only after its sizes are checked."""

import struct
import zipfile
from pathlib import Path

import pytest

from edgevision.modelfiles.checkpoint_archive import is_archive, open_archive


def test_members_are_found_without_the_folder_around_them(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"pickled")
        archive.writestr("archive/data/0", b"12345678")
    assert is_archive(path)
    with open_archive(path) as opened:
        assert opened.names == ("data.pkl", "data/0")
        assert opened.read("data.pkl") == b"pickled"
        target = bytearray(4)
        opened.read_into("data/0", memoryview(target))
        assert target == b"1234"
        with pytest.raises(ValueError, match="lacks 'data/1'"):
            opened.read("data/1")


def test_a_member_that_unpacks_to_far_more_than_the_file_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(40_000_000))
    with pytest.raises(ValueError, match="unpacks to 40000000 bytes"), open_archive(path):
        pass


def test_ways_of_packing_that_have_no_bound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lzma.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a/data.pkl", b"x")
    with pytest.raises(ValueError, match="packed in another way"), open_archive(path):
        pass


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", bytes(1000))
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry, end = data[start : data.index(b"PK\x05\x06")], bytearray(data[data.index(b"PK\x05\x06") :])
    end[8:16] = struct.pack("<HHI", 50, 50, 50 * len(entry))
    path.write_bytes(data[:start] + 50 * entry + end)
    with pytest.raises(ValueError, match="over each other"), open_archive(path):
        pass


def test_an_index_of_many_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"PK\x03\x04" + bytes(100) + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 1 << 25, 104, 0))
    with pytest.raises(ValueError, match="index of members has 33554432 bytes"), open_archive(path):
        pass


def test_a_zip_that_is_cut_off_is_one_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert is_archive(path)
    with pytest.raises(ValueError, match="damaged"), open_archive(path):
        pass
