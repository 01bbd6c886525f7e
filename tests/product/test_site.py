"""The site is built of the pages as they are, without a warning, and asks for nothing from elsewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?(https?://[^"' >]+)|<link[^>]+href=["']?(https?://[^"' >]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not included in the" not in done.stderr, "every page is in the navigation"
    return folder


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not FETCHED.findall(page.read_text(encoding="utf-8")), page


def test_the_reference_has_every_verb_and_its_options(site):
    page = (site / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    for words in ("edgevision run inpaint", "edgevision train classify", "edgevision bench", "edgevision run track"):
        assert words in page
    for option in ("--calibration", "--max-drop", "--on", "--tile"):
        assert option in page


def test_the_reference_of_python_has_the_public_names_and_the_results(site):
    page = (site / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    for words in ("edgevision.load", "Detections", "ClipClassification", "to_coco", "ModelFileError"):
        assert words in page
    assert ":class:" not in page


def test_the_schemas_are_there_as_files(site):
    schema = json.loads((site / "reference" / "schemas" / "run-detect.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["schema_version"] == {"const": 1}
