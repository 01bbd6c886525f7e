"""Signals that ask the process to end: everything is tidied up, and the exit code says which it was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevision.cli import app as cli
from edgevision.cli.interruption import Terminated, end_as_interrupted, exit_code
from edgevision.core.atomic_files import atomic_file

NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def by_default() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_ends_what_is_being_written_and_leaves_nothing(
    by_default: None, tmp_path: Path, number: signal.Signals
) -> None:
    def write() -> None:
        with atomic_file(tmp_path / "o.png") as temporary:
            temporary.write_bytes(b"ha")
            os.kill(os.getpid(), number)

    end_as_interrupted()
    with pytest.raises(Terminated) as ended:
        write()
    assert exit_code(ended.value) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_second_signal_at_once_does_not_disturb_the_tidying(by_default: None) -> None:
    end_as_interrupted()
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_so(by_default: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_as_interrupted()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_a_forked_process_is_ended_as_by_default(by_default: None) -> None:
    end_as_interrupted()
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("interrupt", "code", "said"),
    [(KeyboardInterrupt(), 130, "interrupted\n"), (Terminated(signal.SIGTERM), 143, "terminated\n")],
)
def test_an_interruption_while_a_verb_is_imported_has_its_exit_code(
    interrupt: KeyboardInterrupt,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(name: str) -> None:
        raise interrupt

    monkeypatch.setattr("edgevision.cli.groups.load_object", stop)
    with pytest.raises(SystemExit) as ended:
        cli.main(["devices"])
    assert (ended.value.code, *capsys.readouterr()) == (code, "", said)
