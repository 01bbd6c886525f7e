"""Files that are named to be read: none is waited for, none goes on for ever, and text comes from every editor."""

import os
from pathlib import Path

import pytest

from edgevision.core.errors import InputError
from edgevision.core.regular_files import open_regular, read_regular, read_text_file


@pytest.mark.parametrize("open_file", [open_regular, read_regular])
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path, open_file) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            open_file(path)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


def test_a_regular_file_is_read_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b") == b"content"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_what_the_system_makes_up_while_it_is_read_is_empty() -> None:
    assert read_regular(Path("/proc/self/environ")) == b""


def test_text_is_not_waited_for_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"the labels '.*pipe' cannot be read: it is a pipe"):
        read_text_file(tmp_path / "pipe", "the labels")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_are_not_part_of_the_text(tmp_path, encoding, newline):
    path = tmp_path / "labels.txt"
    path.write_bytes(newline.join(["café", "犬", ""]).encode(encoding))
    assert read_text_file(path, "the labels") == "café\n犬\n"


def test_utf_16_is_read_in_either_order(tmp_path):
    path = tmp_path / "labels.txt"
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        path.write_bytes(mark + "犬".encode(encoding))
        assert read_text_file(path, "the labels") == "犬"


def test_what_is_in_no_known_encoding_is_refused_with_its_place(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("dog\ncafé\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"not in UTF-8 \(byte 0xe9, line 2\)"):
        read_text_file(path, "the labels")
    path.write_bytes("dog\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="without a byte order mark"):
        read_text_file(path, "the labels")


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot be read"):
            read_text_file(path, "the labels")
