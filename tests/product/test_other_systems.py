"""The command line in a Python that lacks what Windows or macOS lack, and on consoles that lack characters."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = ROOT / "tests" / "elsewhere.py"
CAT, MASK = ROOT / "examples/pictures/cat.jpg", ROOT / "examples/mask.png"


@pytest.fixture
def run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))

    def run_there(system, *words, encoding="utf-8"):
        command = [sys.executable, str(ELSEWHERE), system, *map(str, words)]
        environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            command, capture_output=True, cwd=tmp_path, env=environment | {"HOME": str(tmp_path)}, check=False
        )

    return run_there


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_pictures_are_answered_and_written_there(run, tmp_path, system):
    found = run(system, "run", "classify", CAT, "--device", "ort:cpu", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["results"][0]["predictions"][0]["label"] == "cat"
    made = run(system, "run", "inpaint", CAT, MASK, "-o", "whole.png", "--quiet")
    assert made.returncode == 0, made.stderr
    again = run(system, "run", "inpaint", CAT, MASK, "-o", "whole.png")
    assert (again.returncode, b"--force" in again.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".edge", "whole"))] == ["whole.png"]


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_models_are_measured_there_and_what_is_not_known_is_left_out(run, system):
    measured = run(system, "bench", "classify", "--device", "ort:cpu", "--seconds", "0.1", "--json")
    assert measured.returncode == 0, measured.stderr
    document = json.loads(measured.stdout)
    assert document["subjects"][0]["latency"]["runs"] > 0
    assert document["subjects"][0].get("memory") is None
    refused = run(system, "bench", "classify", "--cores", "0")
    assert (refused.returncode, b"leave --cores out" in refused.stderr) == (2, True)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "words",
    [("devices",), ("inspect", "classify"), ("run", "--help"), ("report-bug",), ("inspect", "nothing\u2192.onnx")],
)
def test_consoles_that_lack_characters_get_others(run, encoding, words):
    ended = run("windows", *words, encoding=encoding)
    assert ended.returncode == (2 if "nothing" in words[-1] else 0), ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"fault of edgevision" not in ended.stderr
    ended.stdout.decode(encoding)
