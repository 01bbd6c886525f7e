"""Whatever is written to standard output or error, by whom ever, a terminal of any encoding only shows it."""

import io
import json
import logging
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgevision.cli import app as cli
from edgevision.cli.groups import Verb
from edgevision.cli.output import echo, print_json
from edgevision.core.errors import DiskFullError, OutputError
from edgevision.core.progress import track
from edgevision.core.terminal import encodable, guarded_streams, unguarded

HOSTILE = "\x1b]0;t\x07é\u202e█\udcff"


@pytest.fixture
def streams(monkeypatch):
    """Standard output and error of an encoding, and what they got."""

    def build(encoding):
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True))
        return lambda: tuple(stream.buffer.getvalue() for stream in (sys.stdout, sys.stderr))

    return build


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("utf-8", "\\x1b]0;t\\x07é\\u202e█\\udcff"),
        ("cp1252", "\\x1b]0;t\\x07é\\u202e#\\udcff"),
        ("latin-1", "\\x1b]0;t\\x07é\\u202e#\\udcff"),
        ("ascii", "\\x1b]0;t\\x07e\\u202e#\\udcff"),
    ],
)
def test_all_that_is_printed_is_shown_in_the_characters_of_the_terminal(streams, encoding, seen):
    written = streams(encoding)
    with guarded_streams():
        echo(HOSTILE)
        print(HOSTILE)  # noqa: T201
        echo(HOSTILE, err=True)
        sys.stderr.writelines([HOSTILE, "\n"])
        logging.getLogger("edgevision").handle(logging.LogRecord("n", 20, "", 1, "x", None, None))
    line = seen.encode(encoding) + b"\n"
    assert written() == (line * 2, line * 2)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_exact_on_every_terminal(streams, encoding):
    written = streams(encoding)
    with guarded_streams():
        print_json({"name": HOSTILE})
    assert json.loads(written()[0].decode(encoding))["name"] == HOSTILE


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_errors_of_every_origin_are_shown(streams, monkeypatch, encoding):
    written = streams(encoding)

    def run(arguments):
        with pytest.raises(SystemExit):
            cli.main(arguments)

    def fail() -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    monkeypatch.setattr(cli._Program, "verbs", {"fail": Verb(f"{__name__}:fail", "fails")})
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    for arguments in (["fail"], ["fail", HOSTILE], [HOSTILE], [f"--{HOSTILE}"]):
        run(arguments)
    out, err = written()
    assert not out
    assert b"\\x1b]0;t\\x07" in err
    assert b"\x1b" not in err
    assert "\u202e".encode() not in err


def test_the_guard_goes_when_the_program_ends(streams):
    streams("utf-8")
    before = sys.stdout
    with guarded_streams():
        assert sys.stdout is not before
        with guarded_streams():
            plain = unguarded(sys.stdout)
            assert plain is before or plain._stream is before
    assert sys.stdout is before


@pytest.mark.parametrize("taken", ["buffer", "detach"])
def test_a_wrapper_of_somebodys_own_writes_through_the_guard_and_may_be_closed(streams, taken):
    written = streams("utf-8")
    with guarded_streams():
        binary = sys.stdout.buffer if taken == "buffer" else sys.stdout.detach()
        with io.TextIOWrapper(binary, encoding="utf-8") as own:
            own.write("\x1b[31mfünf\n")
        sys.stdout.write("still there\n")
        sys.stdout.flush()
    assert written()[0].splitlines() == ["\\x1b[31mfünf".encode(), b"still there"]


@pytest.mark.parametrize("full", [False, True])
def test_results_that_cannot_be_written_are_an_error_and_messages_are_lost(monkeypatch, full):
    with ExitStack() as held:
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, held.enter_context(Path("/dev/full").open("w")) if full else None)
        held.enter_context(guarded_streams())
        assert list(track([1], 1, "working")) == [1]
        echo("lost", err=True)
        sys.stderr.write("lost")
        sys.stderr.flush()
        with pytest.raises(DiskFullError if full else OutputError, match="no space left" if full else "it is closed"):
            echo("result")


@pytest.mark.parametrize("verb", [["devices", "--json"], ["--version"], ["--help"]])
def test_a_full_or_closed_standard_output_ends_a_command_in_one_sentence(run_python, verb):
    for redirection, code, words in (("> /dev/full", 1, "no space left to write"), (">&-", 2, "it is closed")):
        command = f"{sys.executable} -m edgevision {shlex.join(verb)} {redirection}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough_ends_a_command_in_silence(run_python):
    command = f"set -o pipefail; {sys.executable} -m edgevision devices --json | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_progress_bar_moves_the_cursor_and_its_words_do_not(streams, monkeypatch):
    written = streams("latin-1")
    sys.stderr.isatty = lambda: True
    monkeypatch.setenv("TERM", "xterm")
    with guarded_streams():
        assert list(track([1, 2], 2, "[bold]\x1b]0;t\x07█")) == [1, 2]
    assert b"\x1b]0;" not in written()[1]
    assert b"[bold]\\x1b]0;t" in written()[1]


def test_an_unknown_encoding_is_no_reason_to_fail():
    assert encodable("é", "no-such-encoding") == "é"
    assert encodable("é", None) == "é"
