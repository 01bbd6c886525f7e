"""Files that are named to be read: none is waited for, and none goes on for ever."""

import os
from pathlib import Path

import pytest

from edgevision.core.errors import InputError
from edgevision.core.ordinary_files import open_ordinary, read_ordinary
from edgevision.core.text_file import read_text_file


@pytest.mark.parametrize("open_file", [open_ordinary, read_ordinary])
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path, open_file) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="no ordinary file"):
            open_file(path)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


def test_an_ordinary_file_is_read_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_ordinary(tmp_path / "b") == b"content"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_what_the_system_makes_up_while_it_is_read_is_empty() -> None:
    assert read_ordinary(Path("/proc/self/environ")) == b""


def test_text_is_not_waited_for_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"the labels '.*pipe' cannot be read: it is a pipe"):
        read_text_file(tmp_path / "pipe", "the labels")
