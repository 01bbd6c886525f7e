"""What ``edgevision report-bug`` writes, and what is kept of an error for it."""

import json
import socket
from pathlib import Path

import pytest

from edgevision.core.last_error import last_error, without_names


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("'/home/jo/My Photos/cat.jpg' does not exist", "'<path>' does not exist"),
        (r"'C:\Users\Jo\cat.jpg' does not exist", "'<path>' does not exist"),
        ("'my holiday.onnx' is no model", "'<name>.onnx' is no model"),
        ("cat.jpg: truncated; ~/models and ../x/y too", "<name>.jpg: truncated; <path> and <path> too"),
        ("weights/best.pt holds no network", "<path> holds no network"),
        ("pi@10.0.0.7 does not answer at 10.0.0.7:22", "<address> does not answer at <address>"),
        ("https://me:secret@example.org/model.onnx?token=x is not found", "<address> is not found"),
        ("scale is 2 or 4, not 3; ONNX Runtime 1.31.1", "scale is 2 or 4, not 3; ONNX Runtime 1.31.1"),
    ],
)
def test_what_belongs_to_the_user_is_taken_out(text, kept):
    assert without_names(text) == kept


def test_the_user_and_the_machine_are_not_named(monkeypatch):
    monkeypatch.setenv("USER", "josephine")
    assert without_names(f"josephine on {socket.gethostname()}, josephines") == "<name> on <name>, josephines"


def test_an_error_is_kept_and_reported_without_names(edgevision, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert edgevision("run", "classify", tmp_path / "secret project.jpg", "--model=private.onnx")[0] == 2
    kept = last_error()
    assert kept is not None
    assert (kept["verb"], kept["options"], kept["error"]) == ("run classify", ["--model"], "ModelFileError")
    assert kept["traceback"][0].startswith("edgevision/cli/app.py:")
    code, out, _ = edgevision("report-bug")
    assert code == 0
    assert "edgevision-report.json" in out
    text = (tmp_path / "edgevision-report.json").read_text()
    report = json.loads(text)
    assert report["last_error"] == kept
    assert {"edgevision", "python", "numpy"} <= set(report["versions"])
    assert report["devices"]
    for word in ("secret", "private", str(tmp_path), str(Path.home())):
        assert word not in text, word
    # What was read once is not overwritten by chance.
    assert edgevision("report-bug")[0] == 2
    assert json.loads(edgevision("report-bug", "--force", "--json")[1])["versions"] == report["versions"]


def test_a_report_without_an_error_says_so(edgevision, tmp_path):
    code, out, _ = edgevision("report-bug", "-o", tmp_path / "report.json")
    assert (code, json.loads((tmp_path / "report.json").read_text())["last_error"]) == (0, None)
    assert "none is known" in out


@pytest.mark.parametrize("kept", ["{cut", "[1]", '{"when": 1}', '{"error": "X", "verb": 3}', "[" * 100_000])
def test_what_no_release_wrote_is_no_error(edgevision, cache, tmp_path, kept):
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "last-error.json").write_text(kept)
    code, out, err = edgevision("report-bug", "-o", tmp_path / "report.json")
    assert (code, err) == (0, "")
    assert "none is known" in out


@pytest.mark.parametrize("name", ["x.zip", "report", "x.json.gz"])
def test_a_name_of_another_kind_of_file_is_refused(edgevision, tmp_path, name):
    code, _, err = edgevision("report-bug", "-o", tmp_path / name)
    assert (code, ".json or .txt" in err) == (2, True)
    assert not list(tmp_path.glob("[!c]*"))


def test_a_report_that_is_there_is_not_overwritten(edgevision, tmp_path):
    (tmp_path / "report.json").write_text("mine")
    code, out, err = edgevision("report-bug", "-o", tmp_path / "report.json")
    assert (code, out) == (2, "")
    assert "exists already; --force overwrites it" in err
    assert (tmp_path / "report.json").read_text() == "mine"


def test_what_cannot_be_kept_changes_nothing(edgevision, cache):
    cache.write_text("a file where the folder would be")
    code, _, err = edgevision("inspect", "nothing.onnx")
    assert code == 2
    assert err.startswith("error: ")
    assert last_error() is None


def test_a_command_that_succeeds_imports_nothing_of_it(run_python):
    program = """
import sys
from edgevision.cli.app import main
try:
    main(["--version"])
finally:
    print("edgevision.core.last_error" in sys.modules)
"""
    assert run_python("-c", program).stdout.endswith("False\n")
