"""Whatever is written to standard output or error, by whom ever, a terminal of any encoding only shows it."""

import io
import json
import logging
import sys

import pytest

from edgevision import cli
from edgevision.commandline import Verb, echo, print_json
from edgevision.progress import track
from edgevision.terminal import drawing_streams, encodable, guarded_streams

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
    monkeypatch.setattr(cli._Face, "verbs", {"fail": Verb(f"{__name__}:fail", "fails")})
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
        with guarded_streams(), drawing_streams():
            assert sys.stdout is before or sys.stdout._stream is before
        assert not hasattr(sys.stdout, "buffer")
    assert sys.stdout is before


def test_closed_streams_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with guarded_streams():
        assert sys.stdout is None
        echo("nobody reads this")


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
