"""The program as a whole: its errors and exit codes, and the options before the verb."""

import errno
import json
import logging
import os

import pytest

from edgevision.cli import app as cli
from edgevision.core.errors import DatasetError, DeviceError, EdgevisionError, InputError, MissingExtraError
from edgevision.core.installation import install_command


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    import edgevision

    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"edgevision {edgevision.__version__}\n"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Make ``edgevision fail`` raise the given error."""

    def install(error: BaseException) -> None:
        class Failing:
            def get_command(self, app: object) -> "Failing":
                return self

            def main(self, arguments: list[str], prog_name: str) -> None:
                raise error

        monkeypatch.setattr(cli.typer, "main", Failing())

    return install


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EdgevisionError("no"), 1),
        (InputError("no"), 2),
        (DatasetError("no"), 2),
        (DeviceError("no"), 3),
        (MissingExtraError("onnxruntime", "cpu"), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("no"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_exit_code_and_no_traceback(
    failing, error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    with pytest.raises(SystemExit) as ended:
        cli.main(["fail"])
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert out == ""
    assert str(error) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 1, "more memory than there is"),
        (RecursionError("maximum recursion depth exceeded"), 2, "nested too deeply"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "xxx.onnx"),
            2,
            "'xxx.onnx' cannot be used: File name too long",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "'a/b' cannot be used: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), 2, "failed: Input/output error"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space left"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "not in the encoding"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_system_or_the_input_is_to_blame_for_is_a_sentence_wherever_it_comes_up(
    failing, error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    with pytest.raises(SystemExit) as ended:
        cli.main(["fail"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (code, "")
    assert words in err
    assert "fault" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("error", [InputError("no"), ZeroDivisionError("no")], ids=repr)
def test_debug_shows_where(failing, error: Exception) -> None:
    failing(error)
    with pytest.raises(type(error)):
        cli.main(["fail", "--debug"])


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert install_command("cpu") in str(MissingExtraError("onnxruntime", "cpu"))


def test_every_verb_keeps_to_the_cores_that_are_named(run_python):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot keep a process to some cores")
    core = min(os.sched_getaffinity(0))
    for line in (["--cores", str(core), "devices", "--json"], ["devices", "--json", f"--cores={core}"]):
        done = run_python("-m", "edgevision", *line)
        assert done.returncode == 0
        assert json.loads(done.stdout)["machine"]["cores"] == 1
    for line in (["--cores", "4000", "devices"], ["run", "classify", "no.png", "--cores", "4000"]):
        done = run_python("-m", "edgevision", *line)
        assert done.returncode == 2
        assert "there is no core 4000" in done.stderr


def test_a_picture_may_be_called_like_the_option_for_cores(run_python):
    done = run_python("-m", "edgevision", "run", "classify", "--", "--cores", "4000")
    assert done.returncode == 1
    assert "--cores" in done.stderr
    assert "no core" not in done.stderr


def test_threads_that_are_there_already_keep_to_the_cores(run_python):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot keep a process to some cores")
    core = min(os.sched_getaffinity(0))
    done = run_python(
        "-c",
        "import os, threading, edgevision.core.machine\n"
        "release = threading.Event()\n"
        "thread = threading.Thread(target=release.wait)\n"
        "thread.start()\n"
        f"edgevision.core.machine.keep_to_cores({{{core}}})\n"
        "print(os.sched_getaffinity(thread.native_id))\n"
        "release.set()",
    )
    assert done.stdout == f"{{{core}}}\n"


def test_a_module_of_the_current_folder_stands_in_for_no_installed_one(run_python, tmp_path):
    for name in ("typer", "numpy", "logging"):
        (tmp_path / f"{name}.py").write_text(f"print({name!r})\n")
    done = run_python("-m", "edgevision", "devices", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["schema_version"] == 1


def test_after_a_command_nothing_is_logged_to_its_standard_error(edgevision):
    logger = logging.getLogger("edgevision")
    before = logger.handlers[:], logger.level
    code, _, _ = edgevision("devices", "--json")
    assert code == 0
    assert (logger.handlers, logger.level) == before
