"""Progress: every item passes through, and standard output stays clean."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from edgevision.core import progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of the test's own: what the list holds is the time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_says_how_long_it_will_take(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress.track(range(10), 10, "reading"):
        clock[0] += 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reading: 3 of 10, 0.25 a second, about 28 s left",
        "reading: 6 of 10, 0.25 a second, about 16 s left",
        "reading: 9 of 10, 0.25 a second, about 4 s left",
    ]


def test_short_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track("abc", 3, "reading")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_quiet_says_nothing_however_long_it_takes(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress.track(range(5), 5, "reading", quiet=True):
        clock[0] += 100
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert list(progress.track(range(3), 3, "reading")) == [0, 1, 2]
    assert "reading" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_items_are_asked_for_one_at_a_time(quiet: bool) -> None:
    asked: list[int] = []
    items = (asked.append(i) or i for i in range(5))
    tracked = progress.track(items, 5, "reading", quiet=quiet)
    assert next(tracked) == 0
    assert asked == [0]


# --- parts of one long thing ---


def test_parts_give_a_line_each_ten_seconds_where_there_is_no_terminal(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for _ in progress.track_parts(range(10), "tiles of the picture"):
            clock[0] += 4
    assert [record.getMessage() for record in caplog.records] == [
        "3 of 10 tiles of the picture, about 28 s left",
        "6 of 10 tiles of the picture, about 16 s left",
        "9 of 10 tiles of the picture, about 4 s left",
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_on_a_terminal_parts_have_a_bar_below_that_of_the_whole_and_it_goes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    rows: list[list[tuple[str, float]]] = []

    def work() -> None:
        one_more = progress.PartsProgress(3, "tiles")
        for _ in range(2 if fails else 3):
            one_more()
            rows.append([(row.description, row.completed) for row in progress._bars[0].tasks])

    for _ in progress.track(range(1), 1, "denoise"):
        work()
        assert [row.description for row in progress._bars[0].tasks] == ["denoise"]
    assert rows[:2] == [[("denoise", 0), ("tiles", 1)], [("denoise", 0), ("tiles", 2)]]
    assert progress._bars == []
    assert not caplog.records


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_a_command_shows_how_far_one_large_picture_is(tmp_path: Path) -> None:
    import pty

    pytest.importorskip("onnxruntime")
    picture = tmp_path / "large.png"
    Image.linear_gradient("L").resize((300, 300)).save(picture)
    command = [sys.executable, "-m", "edgevision", "run", "upscale", str(picture), "-o", str(tmp_path / "o.png")]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([*command, "--tile", "64"], stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux' way to say that the other end is closed
            while piece := os.read(ours, 1 << 16):
                shown += piece
    os.close(ours)
    assert process.returncode == 0
    done = {int(count) for count in re.findall(rb"tiles of the picture [^\r]*?(\d+)/\d+", shown)}
    assert len(done) > 1
    assert shown.endswith(b"\x1b[2K")


# --- stages within a limit of time ---


def test_a_line_says_where_a_stage_begins_and_now_and_then_what_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.StageProgress() as show:
        show("calibrating", 0.1, 90)
        clock[0] += 4
        show("calibrating", 0.2, 80)
        clock[0] += 7
        show("calibrating", 0.3, 70.4)
        show("searching", 0.3, 70)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["calibrating ...", "calibrating: at most 70 s left", "searching ..."]


def test_stages_are_silent_where_quiet_is_asked_for(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.StageProgress(quiet=True) as show:
        for _ in range(5):
            clock[0] += 100
            show("searching", 0.5, 60)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_the_stage_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.StageProgress() as show:
        show("searching", 0.5, 61)
    assert "searching" in terminal.getvalue()
    assert "at most 01:01 left" in terminal.getvalue()


def test_stages_that_never_begin_leave_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.StageProgress():
        pass
    assert capsys.readouterr() == ("", "")


def test_one_long_thing_is_told_of_now_and_then(monkeypatch, caplog):
    clock = iter([0.0, 4.0, 11.0, 12.0, 22.0, 33.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    one_more = progress.PartsProgress(5, "tiles")
    with caplog.at_level("INFO", "edgevision"):
        for _ in range(5):
            one_more()
    assert caplog.messages == ["2 of 5 tiles, about 16 s left", "4 of 5 tiles, about 6 s left"]
