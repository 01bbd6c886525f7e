"""Making a userland: whole or not at all, and a reason where it cannot be."""

import sys

import arm64_userland
import pytest
from arm64_userland import UserlandError, call, find_userland, make_whole


def test_a_folder_is_made_once(tmp_path):
    for text in ("first", "second"):
        make_whole(tmp_path / "made", lambda folder, text=text: (folder / "file").write_text(text))
    assert (tmp_path / "made/file").read_text() == "first"


def test_an_interrupted_making_leaves_nothing_and_can_be_repeated(tmp_path):
    def interrupted(folder):
        (folder / "file").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_whole(tmp_path / "made", interrupted)
    # As after a power cut, where nobody could clear away.
    (tmp_path / "made.partial-before").mkdir()
    assert not (tmp_path / "made").exists()
    make_whole(tmp_path / "made", lambda folder: (folder / "file").write_text("whole"))
    assert (tmp_path / "made/file").read_text() == "whole"
    assert not list(tmp_path.glob("made.partial-*"))


def test_a_program_that_fails_is_quoted():
    with pytest.raises(UserlandError, match=r"^python\S* -c failed: no such archive$"):
        call(sys.executable, "-c", "import sys; print('reading'); sys.exit('no such archive')")


def test_without_apt_the_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(arm64_userland.shutil, "which", lambda name: None)
    with pytest.raises(UserlandError, match="is not installed"):
        find_userland()
    assert not [entry for entry in (tmp_path / "edgevision-tests").iterdir() if entry.is_dir()]
