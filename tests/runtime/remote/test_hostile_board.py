"""Boards that lie: whatever one sends, the host shows safe text, writes its own files only, and ends with an error."""

import io
import json
import shlex
import sys
import time
from contextlib import suppress
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core.errors import DeviceError, EdgevisionError, ImageError, OutputError, UnreachableError
from edgevision.core.printable import printable, printable_values
from edgevision.runtime.remote import watchdog
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.call import NoAnswerError, _answer, call
from edgevision.runtime.remote.job import Output
from edgevision.runtime.remote.session import Session
from edgevision.runtime.remote.watchdog import Watchdog

FACTS = {
    "system": "linux", "python": "python3", "version": "3.11", "architecture": "x86_64", "bits": 64, "name": "b",
    "free_bytes": 1, "has_venv": True, "has_cuda": False,
}  # fmt: skip


def output(target, check=lambda path: None, existing="replace"):
    return Output(target, check, existing)


_LIAR = """
import json, pathlib, sys
request = json.loads(sys.stdin.buffer.readline())
sys.stdout.buffer.write(request["nonce"].encode() + b"\\n")
name = "facts" if request["operation"] == "facts" else "answer"
sys.stdout.buffer.write((pathlib.Path(sys.argv[1]) / name).read_bytes())
"""


def lines(*messages):
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.fixture
def hostile(local, tmp_path):
    """A board, opened, whose Python answers each later call with the given bytes."""

    def build(answer, facts=FACTS):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "answer").write_bytes(answer)
        (folder / "facts").write_bytes(lines({"done": facts}))
        (folder / "liar.py").write_text(_LIAR)
        (folder / "python3").write_text(
            f'#!/bin/sh\n[ "$1" = -I ] || exit 0\nexec {sys.executable} {folder}/liar.py {folder}\n'
        )
        (folder / "python3").chmod(0o755)
        local.environment["PATH"] = f"{folder}:{local.environment['PATH']}"
        board = Board(Session("hostile", local))
        board.session.reconnect_for_s = 0.0
        board.open()
        return board

    return build


def test_escape_sequences_are_shown_as_text(hostile, caplog):
    said = {"say": "\x1b[2J\x1b]0;title\x07hi\r\u202egnp\x9b31m\n", "offset": 5}
    board = hostile(lines(said, {"done": {"state": "ended", "code": 0}}))
    with caplog.at_level("INFO", logger="edgevision"):
        assert board.follow("job") == 0
    shown = "".join(caplog.messages)
    assert "hi" in shown
    assert shown.isprintable()


def test_an_error_cannot_carry_escape_sequences_either(hostile):
    board = hostile(lines({"say": "error: \x1b[31mred\n", "offset": 1}, {"done": {"state": "ended", "code": 3}}))
    assert board.follow("job") == 3
    assert board.last_error == "\\x1b[31mred"


def test_endless_talk_is_shown_in_part(hostile, caplog):
    board = hostile(lines(*[{"say": "x" * 9999 + "\n" + "y\n" * 9, "offset": 1}] * 900, {"done": {"state": "killed"}}))
    with caplog.at_level("INFO", logger="edgevision"), pytest.raises(EdgevisionError):
        board.follow("job")
    assert len(caplog.messages) == 5001
    assert max(map(len, caplog.messages)) < 600


@pytest.mark.parametrize(
    "answer",
    [
        lines({"file": "work/../../evil", "size": 4}) + b"evil",
        lines({"file": "/etc/passwd", "size": 4}) + b"evil",
        lines({"file": "work/out/1.png", "size": -1}),
        lines({"file": "work/out/1.png", "size": True}),
        lines({"file": "work/out/1.png", "size": "4"}),
        lines({"file": "work/out/1.png", "size": 1 << 40}),
        lines({"file": "work/out/1.png", "size": 9}) + b"short",
        lines({"size": 3}),
        lines({"file": "work/out/1.png", "size": 1}) + b"x" + lines({"file": "work/out/2.png", "size": 1}) + b"x",
        b"[]\n",
        b"nonsense\n",
        b"[" * 100_000 + b"\n",
        b"a" * (5 << 20),
        b"",
    ],
)
def test_files_that_nobody_asked_for_are_not_written(hostile, tmp_path, answer):
    (tmp_path / "target").mkdir()
    board = hostile(answer)
    with pytest.raises(DeviceError):
        board.fetch("job", {"out/1.png": output(tmp_path / "target" / "mine.png")})
    assert not (tmp_path / "evil").exists()
    # One whole file may have come before the lie.
    assert {path.name for path in (tmp_path / "target").iterdir()} <= {"mine.png"}


def test_a_file_is_written_where_the_host_wants_it(hostile, tmp_path):
    board = hostile(lines({"file": "work/out/1.png", "size": 4}) + b"good" + lines({"done": None}))
    assert board.fetch("job", {"out/1.png": output(tmp_path / "mine.png")}) == ({"out/1.png"}, {})
    assert (tmp_path / "mine.png").read_bytes() == b"good"


def test_a_file_that_fails_its_check_is_not_written_and_the_others_are(hostile, tmp_path):
    def check(path):
        raise ImageError(f"it is {path.read_bytes().decode()}")

    answer = b"".join(lines({"file": f"work/out/{n}.png", "size": 4}) + b"good" for n in (1, 2)) + lines({"done": None})
    outputs = {"out/1.png": output(tmp_path / "1.png"), "out/2.png": output(tmp_path / "2.png", check)}
    fetched = hostile(answer).fetch("job", outputs)
    assert fetched == ({"out/1.png"}, {"out/2.png": "it is good"})
    assert not (tmp_path / "2.png").exists()


def test_what_came_to_be_meanwhile_is_left_or_replaced_as_the_user_said(hostile, tmp_path):
    board = hostile(lines({"file": "work/out/1.png", "size": 4}) + b"mine" + lines({"done": None}))
    target = tmp_path / "mine.png"
    target.write_bytes(b"another's")
    with pytest.raises(OutputError, match="has come to be meanwhile"):
        board.fetch("job", {"out/1.png": output(target, existing="refuse")})
    assert board.fetch("job", {"out/1.png": output(target, existing="keep")}) == ({"out/1.png"}, {})
    assert target.read_bytes() == b"another's"
    board.fetch("job", {"out/1.png": output(target, existing="replace")})
    assert target.read_bytes() == b"mine"


def test_a_file_that_is_not_there_is_not_written(hostile, tmp_path):
    board = hostile(lines({"file": "work/out/1.png", "size": None}, {"done": None}))
    assert board.fetch("job", {"out/1.png": output(tmp_path / "mine.png")}) == (set(), {})
    assert not (tmp_path / "mine.png").exists()


@pytest.mark.parametrize("facts", [{}, [], None, FACTS | {"bits": "many"}, FACTS | {"name": "b" * 9999}, 5])
def test_facts_that_are_none_are_refused(hostile, facts):
    with pytest.raises(DeviceError):
        hostile(b"", facts)


@pytest.mark.parametrize(
    "state", [{}, {"state": 5}, {"state": [1]}, {"state": "ended"}, {"state": "ended", "code": "0"}, 7, [1]]
)
def test_an_end_that_is_none_is_an_error(hostile, state):
    with pytest.raises(EdgevisionError):
        hostile(lines({"done": state})).follow("job")


def test_output_that_another_host_collected_and_cleared_is_not_taken_for_empty(hostile):
    board = hostile(lines({"file": "stdout", "size": None}, {"done": None}))
    with pytest.raises(EdgevisionError, match="no longer holds the job's folder"):
        board.read_output("job")


def test_output_is_bounded(hostile):
    board = hostile(lines({"file": "stdout", "size": 257 << 20}))
    with pytest.raises(DeviceError, match="wants to send"):
        board.read_output("job")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_an_answer_or_a_clean_error(noise, after_nonce):
    stream = io.BytesIO(b"greeting\nnonce\n" + noise if after_nonce else noise)
    with suppress(DeviceError):
        answer = _answer(stream, "nonce", None, Watchdog("facts", lambda: None), lambda: None)
        assert answer is None or "done" in answer or "failed" in answer


@given(st.text())
def test_printable_text_has_no_controls_and_keeps_what_can_be_read(text):
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" or category(c) == "Zs" for c in shown)
    assert printable(shown) == shown


def test_every_string_of_a_document_is_made_safe():
    document = {"a\x1b": ["\x07b", {"c": "\u202ed"}], "n": 1.5, "none": None}
    assert printable_values(document) == {"a\\x1b": ["\\x07b", {"c": "\\u202ed"}], "n": 1.5, "none": None}


# --- boards that hold the host up ---

_NONCE = 'r = json.loads(i.readline()); print(r["nonce"], flush=True);'
HOLDING = {
    "says nothing": "time.sleep(60)",
    "does not even greet to the end": "[(print(end='.', flush=True), time.sleep(0.05)) for _ in range(1200)]",
    "never ends its answer": f"{_NONCE} [(print(end='[', flush=True), time.sleep(0.05)) for _ in range(1200)]",
    "only says that it is alive": f"{_NONCE} [(print('{{}}', flush=True), time.sleep(0.05)) for _ in range(1200)]",
    "closes its output and stays": "os.close(1); time.sleep(60)",
}


@pytest.fixture
def hurried(monkeypatch):
    """Deadlines of half a second instead of half a minute."""
    monkeypatch.setattr(watchdog, "SILENCE_S", 0.5)
    monkeypatch.setattr(watchdog, "_LONGEST_S", dict.fromkeys(watchdog._LONGEST_S, 1.0))
    monkeypatch.setattr(watchdog, "_LONGEST_NAP_S", 0.1)
    monkeypatch.setattr("edgevision.runtime.remote.call._LONGEST_END_S", 0.5)
    monkeypatch.setattr("edgevision.runtime.remote.session._LONGEST_UNANSWERED_S", 0.7)


def stand_in(local, program):
    """Make every command on the board this Python program."""
    whole = f"import json, os, sys, time; i = sys.stdin.buffer; {program}"
    original = local.run
    local.run = lambda command: original(f"exec {shlex.join([sys.executable, '-c', whole])}")


@pytest.mark.parametrize("program", HOLDING.values(), ids=HOLDING)
def test_a_board_that_makes_no_progress_is_given_up_and_its_ssh_is_ended(local, hurried, program):
    ran = []
    stand_in(local, program)
    original = local.run
    local.run = lambda command: ran.append(original(command)) or ran[-1]
    with pytest.raises(NoAnswerError, match=r"gave no answer for \d+ s.*try ssh local by hand"):
        Board(Session("local", local)).open()
    assert [process.returncode for process in ran] == [-9]


def test_a_board_that_takes_nothing_is_given_up(local, hurried):
    stand_in(local, "time.sleep(60)")
    with pytest.raises(NoAnswerError):
        call(local, "store", payload=iter(lambda: bytes(1 << 20), b""), files=[])


def test_a_board_that_stops_in_the_middle_of_a_file_is_given_up_and_nothing_is_written(local, hurried, tmp_path):
    announced = json.dumps({"file": "work/out/1.png", "size": 9})
    stand_in(local, f"{_NONCE} print({announced!r}, flush=True); print(end='1234', flush=True); time.sleep(60)")
    (tmp_path / "target").mkdir()
    with pytest.raises(UnreachableError, match="gave no answer"):
        Board(Session("local", local)).fetch("job", {"out/1.png": output(tmp_path / "target" / "mine.png")})
    assert list((tmp_path / "target").iterdir()) == []


def test_a_board_that_lets_in_and_never_answers_a_follower_is_not_asked_for_ever(local, hurried, caplog):
    stand_in(local, "time.sleep(60)")
    with caplog.at_level("INFO", logger="edgevision"), pytest.raises(UnreachableError, match="the same command line"):
        Board(Session("local", local)).follow("job")
    assert len(caplog.messages) == 1


def test_what_the_host_does_with_an_answer_does_not_count_as_waiting(local, hurried):
    said = json.dumps({"say": "", "offset": 0})
    stand_in(local, f"{_NONCE} print({said!r}, flush=True); time.sleep(0.2); print(json.dumps(dict(done={{}})))")
    assert call(local, "follow", receive=lambda message, data: time.sleep(1.5)) == {}
