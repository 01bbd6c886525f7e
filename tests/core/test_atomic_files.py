"""Writing files: the whole new file, or the old one, or none."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgevision.core.atomic_files import atomic_file, atomic_folder, check_all_writable, check_writable
from edgevision.core.errors import DiskFullError, OutputError


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def test_the_file_is_there_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_file(target) as temporary:
            temporary.write_bytes(b"ha")
            raise stop

    with pytest.raises(stop):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_leaves_no_file_where_there_was_none(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic_folder(tmp_path / "model.xml") as folder:
            (folder / "model.xml").write_bytes(b"ha")
            (folder / "model.bin").write_bytes(b"lf")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_several_files_arrive_together(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model.xml") as folder:
        (folder / "model.xml").write_bytes(b"graph")
        (folder / "model.bin").write_bytes(b"weights")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "model.xml": b"graph",
        "model.bin": b"weights",
    }


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, run_python) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    script = """
import resource, sys
from pathlib import Path
from edgevision.core.errors import DiskFullError
from edgevision.core.atomic_files import atomic_file
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with atomic_file(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(bytes(100_000))
except DiskFullError as error:
    print(error)
"""
    done = run_python("-c", script, str(target))
    assert done.returncode == 0, done.stderr
    assert "no space left to write" in done.stdout
    assert str(target) in done.stdout
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_named_whoever_meets_it(tmp_path: Path, number: int) -> None:
    with pytest.raises(DiskFullError, match="free some space"), atomic_file(tmp_path / "model.onnx"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_block_itself_is_not_renamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "model.onnx"):
        (tmp_path / "missing").read_bytes()


def test_permission_bits_follow_the_umask(tmp_path: Path, umask: int) -> None:
    target = tmp_path / "model.onnx"
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask
    assert os.umask(umask) == umask  # and the umask itself is as it was


def test_a_missing_folder_is_refused_before_and_while_writing(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "model.onnx"
    with pytest.raises(OutputError, match="missing' does not exist"):
        check_writable(target)
    with pytest.raises(OutputError, match="missing' does not exist"), atomic_file(target) as temporary:
        temporary.write_bytes(b"new")


def test_an_existing_file_is_refused_without_force(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already; --force"):
        check_writable(target)
    check_writable(target, force=True)


def test_without_force_a_file_that_came_to_be_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "model.xml"

    def write() -> None:
        with atomic_folder(target, force=False) as folder:
            (folder / "model.xml").write_bytes(b"second")
            (folder / "model.bin").write_bytes(b"second")
            target.write_bytes(b"first")

    with pytest.raises(OutputError, match=r"model\.xml' has come to be meanwhile .* --force"):
        write()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"model.xml": b"first"}


@pytest.mark.parametrize("has_links", [True, False])
def test_of_many_threads_that_write_one_file_without_force_one_succeeds(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, other: Path) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    together = threading.Barrier(8)

    def write(number: int) -> bool:
        try:
            with atomic_file(tmp_path / "o.png", force=False) as temporary:
                temporary.write_text(str(number))
                together.wait(60)
        except OutputError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        succeeded = list(pool.map(write, range(8)))
    assert sum(succeeded) == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == [str(succeeded.index(True))]


def test_without_force_what_may_be_replaced_is_replaced_but_not_beside_a_new_model(tmp_path: Path) -> None:
    model, report = tmp_path / "m.onnx", tmp_path / "m.report.json"
    report.write_text("failed")

    def write(*names: str) -> None:
        with atomic_folder(model, force=False, replaced=(report.name,)) as folder:
            for name in names:
                (folder / name).write_text("good")

    write(model.name, report.name)
    assert report.read_text() == "good"
    report.write_text("of the model")
    with pytest.raises(OutputError, match="meanwhile"):
        write(report.name)
    assert report.read_text() == "of the model"


def test_a_link_to_nothing_is_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "o.png").symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists already"):
        check_writable(tmp_path / "o.png")


def test_threads_that_write_at_once_never_change_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    monkeypatch.setattr(os, "umask", None)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: _write(tmp_path / str(n)), range(20)))
    finally:
        monkeypatch.undo()
        assert os.umask(before) == 0o077
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def _write(target: Path) -> None:
    with atomic_file(target) as temporary:
        temporary.write_text("x")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: File name too long; choose another -o"):
        check_writable(tmp_path / ("x" * 300))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_folder_in_which_nothing_can_be_made_is_named() -> None:
    with (
        pytest.raises(OutputError, match=r"'/proc/picture\.png' cannot be written"),
        atomic_file(Path("/proc/picture.png")),
    ):
        raise AssertionError("the block must not begin")


def test_a_folder_is_refused_as_a_file_even_with_force(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path, force=True)


def test_what_is_not_a_regular_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not a regular file"):
        check_writable(tmp_path / "pipe", force=True)


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    check_all_writable([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(OutputError, match="given for two outputs"):
        check_all_writable([tmp_path / "a", tmp_path / "b", tmp_path / ".." / tmp_path.name / "a"])


def test_a_link_to_itself_exists_and_is_replaced_with_force(tmp_path: Path) -> None:
    link = tmp_path / "loop.png"
    link.symlink_to(link)
    with pytest.raises(OutputError, match="exists already"):
        check_all_writable([tmp_path / "other.png", link])
    check_all_writable([tmp_path / "other.png", link], force=True)
    with atomic_file(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.read_bytes() == b"new"


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "file" / "model.onnx")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            check_writable(tmp_path / "model.onnx")
        with pytest.raises(OutputError, match="cannot be written"), atomic_file(tmp_path / "model.onnx"):
            pass
    finally:
        tmp_path.chmod(0o700)
