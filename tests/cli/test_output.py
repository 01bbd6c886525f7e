"""What a command prints."""

import json

import pytest

from edgevision.cli.output import echo, print_json
from edgevision.core.terminal import results, results_apart


def test_json_output_is_one_document_with_its_version_first(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Käfer", "ms": 1.5})
    document = json.loads(capsys.readouterr().out)
    assert list(document.items()) == [("schema_version", 1), ("name", "Käfer"), ("ms", 1.5)]


def test_json_output_has_null_where_a_figure_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"psnr": float("inf"), "each": [{"sqnr": float("-inf")}, 3.5], "name": "nan"})

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    document = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert document == {"schema_version": 1, "psnr": None, "each": [{"sqnr": None}, 3.5], "name": "nan"}


LOUD = """
import atexit, ctypes, os, subprocess, sys, threading
from edgevision.cli.output import echo, print_json
from edgevision.core.terminal import guarded_streams, results_apart

def speak():
    print("print")
    os.write(1, b"write\\n")
    sys.__stdout__.write("stream\\n")
    ctypes.CDLL(None).puts(b"puts")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)

atexit.register(speak)
with guarded_streams(), results_apart():
    speak()
    print_json({"answer": 42})
    threading.Thread(target=speak).start()
    speak()
"""


def test_what_a_network_prints_does_not_mix_with_the_results(run_python):
    done = run_python("-c", LOUD)
    assert json.loads(done.stdout) == {"schema_version": 1, "answer": 42}
    assert [done.stderr.count(word) for word in ("print", "write", "stream", "puts", "child")] == [4] * 5


def test_results_go_nowhere_where_standard_output_is_closed(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    with results_apart():
        echo("a result")
        assert results() is None
    assert capsys.readouterr() == ("", "")
