"""edgevision verify SITE: the page's own proof, in a browser without a window."""

import json
import subprocess
import sys

import pytest

from edgevision.runtime.web import browser as site_browser


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


def test_a_model_that_computes_something_else_is_no(edgevision, site, without_webgpu, tmp_path):
    import shutil

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


def test_without_playwright_the_extra_is_named(tmp_path):
    (tmp_path / "site.json").write_text('{"schema_version": 1, "models": [{"name": "classify"}]}')
    program = "import sys; sys.modules['playwright'] = None; from edgevision.cli.app import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "verify", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "[web]" in ended.stderr
