"""Temporary folders: gone at the end, and those of the killed too."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgevision.core import atomic_files
from edgevision.core.atomic_files import PREFIX, temporary_folder

PROGRAM = """
import sys, time
from pathlib import Path
from edgevision.core.atomic_files import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "half.png").write_bytes(b"ha")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def new_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks for what others left once in each place."""
    monkeypatch.setattr(atomic_files, "_tidied", set())


@contextmanager
def writer(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, place], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    with writer(tmp_path) as (living, kept), writer(tmp_path) as (dying, left):
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        assert {path.name for path in tmp_path.iterdir()} == {kept.name, left.name}
        with temporary_folder(tmp_path) as ours:
            assert living.poll() is None
            assert {path.name for path in tmp_path.iterdir()} == {kept.name, ours.name}
        assert (kept / "half.png").read_bytes() == b"ha"


def test_what_this_process_writes_itself_is_not_taken_for_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder(tmp_path) as first:
        monkeypatch.setattr(atomic_files, "_tidied", set())
        with temporary_folder(tmp_path) as second:
            assert first.is_dir()
            assert second.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_only_folders_of_that_name_are_ever_removed(tmp_path: Path) -> None:
    (tmp_path / ".edgevision-notes").mkdir()
    (tmp_path / f"{PREFIX}notes.txt").write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to("elsewhere")
    before = set(tmp_path.iterdir())
    with temporary_folder(tmp_path):
        pass
    assert set(tmp_path.iterdir()) == before


def test_a_folder_that_was_taken_for_left_behind_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = atomic_files.locked
    taken: list[Path] = []

    @contextmanager
    def too_late(folder: Path) -> Iterator[bool | None]:
        with locked(folder) as is_locked:
            if not taken:
                taken.append(folder)
                folder.rmdir()
            yield is_locked

    monkeypatch.setattr(atomic_files, "locked", too_late)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert folder not in taken


def test_files_belong_to_the_group_of_a_shared_folder(tmp_path: Path) -> None:
    others = [60000] if os.geteuid() == 0 else [group for group in os.getgroups() if group != os.getegid()]
    if not others:
        pytest.skip("this user is in one group only")
    os.chown(tmp_path, -1, others[0])
    tmp_path.chmod(0o2775)
    with temporary_folder(tmp_path) as folder:
        (folder / "o.png").write_bytes(b"")
        (folder / "o.png").rename(tmp_path / "o.png")
    assert (tmp_path / "o.png").stat().st_gid == others[0]
