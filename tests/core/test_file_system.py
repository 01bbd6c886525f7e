"""Renaming and locking where the system is Windows, as far as its refusals can be had here."""

import sys
from pathlib import Path

import pytest

from edgevision.core import atomic_files, file_system
from edgevision.core.atomic_files import atomic_file, temporary_folder
from edgevision.core.errors import OutputError
from edgevision.core.file_system import locked, rename_over


class Held:
    """Somebody has files open: the first ``times`` renames over an existing one are refused, as Windows does it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, winerror: int | None = 32) -> None:
        self.refused = 0
        replace = Path.replace

        def refuse(path: Path, target: Path) -> Path:
            if target.exists() and self.refused < times:
                self.refused += 1
                error = PermissionError(13, "The process cannot access the file")
                if winerror is not None:
                    error.winerror = winerror
                raise error
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", refuse)
        monkeypatch.setattr(file_system.time, "sleep", lambda seconds: None)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text("old")
    return path


@pytest.mark.parametrize("winerror", [5, 32])
def test_who_reads_a_file_for_a_moment_is_waited_for(target, monkeypatch, winerror):
    held = Held(monkeypatch, 3, winerror)
    with atomic_file(target) as file:
        file.write_text("new")
    assert (held.refused, target.read_text()) == (3, "new")


def test_who_keeps_a_file_open_is_named_as_the_reason_and_the_old_file_stays(target, monkeypatch):
    Held(monkeypatch, 1000)
    with pytest.raises(OutputError, match="is open in another program; close it"), atomic_file(target) as file:
        file.write_text("new")
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]


def test_a_refusal_for_another_reason_is_not_tried_again(target, monkeypatch):
    held = Held(monkeypatch, 1000, winerror=None)
    with pytest.raises(OutputError, match="cannot be written"), atomic_file(target) as file:
        file.write_text("new")
    assert held.refused == 1


def test_a_folder_is_renamed_over_nothing(tmp_path):
    (tmp_path / "fresh").mkdir()
    rename_over(tmp_path / "fresh", tmp_path / "there")
    assert (tmp_path / "there").is_dir()


def test_without_locks_nothing_is_locked_and_what_others_left_stays(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(atomic_files, "_tidied", set())
    left = tmp_path / f"{atomic_files.PREFIX}left"
    left.mkdir()
    with locked(left) as answer, temporary_folder(tmp_path) as folder:
        assert answer is None
        assert folder.is_dir()
    assert left.is_dir()
    assert not folder.exists()


def test_one_of_two_has_the_lock_and_the_other_waits_for_it(tmp_path):
    told = []
    (tmp_path / "lock").touch()
    with locked(tmp_path / "lock") as first, locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with locked(tmp_path / "lock", waiting=lambda: told.append(1)) as alone:
        assert (alone, told) == (True, [])
    with locked(tmp_path / "none") as missing:
        assert missing is False
