"""No word of the pages, the code or what the program says is one that codespell knows to be misspelt."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs", "edgevision/cli", "edgevision/core")
MORE = ("runtime", "exporters", "edgevision/training", "docker", "examples")


@pytest.mark.parametrize("places", [PLACES, MORE], ids=["pages", "code"])
def test_codespell_finds_nothing(places):
    pytest.importorskip("codespell_lib")
    words = ["--ignore-words", str(ROOT / "tests/product/known_words.txt")]
    skipped = ["--skip", "*.svg,*.webp,*.onnx,*.pt,*.jpg,*.png,*.ipynb,*.report.json,*/node_modules/*"]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *words, *skipped, *places],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "")
