"""edgevision verify SITE: the page's own proof, in a browser without a window."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from json_schemas import check
from onnx_writer import node, onnx_model

from edgevision.modelfiles.metadata import Precision, Provenance
from edgevision.runtime.web import browser as site_browser
from edgevision.runtime.web import forms
from tests.runtime.conftest import METADATA


@pytest.fixture
def without_webgpu(monkeypatch):
    """A graphics processor made of software takes a minute."""
    pytest.importorskip("playwright", reason="Playwright's Python package is not installed")
    monkeypatch.setattr(site_browser, "_SOFTWARE_WEBGPU", ())


def test_a_site_is_proved(edgevision, site, without_webgpu):
    code, output, error = edgevision("verify", site, "--json")
    assert code == 0, error
    report = json.loads(output)
    assert report["isolated"]
    for model in report["models"]:
        wasm = model["backends"][0]
        assert (wasm["used"], wasm["right"]) == (True, True), model
        assert wasm.get("sqnr_db", 1000) > 60
    check("verify-site", report)


def test_a_model_that_computes_something_else_is_no(edgevision, site, without_webgpu, tmp_path):
    wrong = tmp_path / "site"
    shutil.copytree(site, wrong)
    samples = wrong / "models" / "classify.samples.bin"
    content = bytearray(samples.read_bytes())
    content[-400:] = bytes(400)
    samples.write_bytes(content)
    code, output, error = edgevision("verify", wrong)
    assert code == 1
    assert "not used: computes something else" in output
    assert "'classify' does not compute" in error


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("index.html", None, "lacks 'index.html'"),
        ("local/backend.js", "export const cut = {", "fails: "),
    ],
)
def test_a_page_whose_files_are_missing_or_damaged_is_no_site(
    edgevision, site, without_webgpu, tmp_path, name, content, said
):
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / name).unlink()
    if content is not None:
        (broken / name).write_text(content)
    code, output, error = edgevision("verify", broken)
    assert (code, output) == (2, "")
    assert said in error
    assert "write the site again" in error


def test_without_playwright_the_extra_is_named(tmp_path):
    (tmp_path / "site.json").write_text('{"schema_version": 1, "models": [{"name": "classify"}]}')
    program = "import sys; sys.modules['playwright'] = None; from edgevision.cli.app import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "verify", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "[web]" in ended.stderr


def test_of_two_forms_the_faster_one_ships(edgevision, site, without_webgpu, write_colours, tmp_path, monkeypatch):
    """Both compute the same; the one that is called int8 takes long for it."""
    monkeypatch.setattr(forms, "_ROUNDS", 1)
    made = METADATA.updated(provenance=Provenance(checkpoint_sha256="0" * 64))
    quick = write_colours("quick.onnx", made)
    again = [node("Conv", [f"image{n or ''}", "same"], [f"image{n + 1}"], pads=[9, 9, 9, 9]) for n in range(40)]
    same = np.zeros((3, 3, 19, 19), np.float32)
    same[range(3), range(3), 9, 9] = 1
    last = [node("ReduceMean", ["image40", "axes"], ["mean"], keepdims=0), node("Mul", ["mean", "ten"], ["logits"])]
    weights = {"same": same, "ten": np.float32([10]), "axes": np.int64([2, 3])}
    slow = tmp_path / "slow.onnx"
    slow.write_bytes(
        onnx_model(
            [*again, *last],
            {"image": ("batch", 3, 8, 8)},
            {"logits": ("batch", 3)},
            weights,
            made.updated(precision=Precision.INT8),
        )
    )
    code, output, error = edgevision("web", slow, quick, "-o", tmp_path / "faster", "--json")
    assert code == 0, error
    report = json.loads(output)
    assert report["models"] == ["quick"]
    assert {form["model"]: form["shipped"] for form in report["forms"]} == {"slow": False, "quick": True}
