"""The site is built of the pages as they are, without a warning, and asks for nothing from elsewhere."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread

import pytest
from watched_browser import Watched, open_browser

import edgevision.core.errors
from edgevision.cli.interruption import exit_code
from edgevision.core.errors import EdgevisionError
from edgevision.runtime.shipped_models import shipped_names

ROOT = Path(__file__).parents[2]
LOOKED_AT = ("", "boards/", "compared/", "concepts/", "reference/commands/", "reference/exit_codes/")
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


@pytest.fixture(scope="module")
def address(site):
    """Where a server on this machine shows the site."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_pages_look_right_in_a_browser_narrow_and_wide_light_and_dark(address):
    with open_browser() as chromium:
        for width, (scheme, shown) in product((390, 1200), (("light", "default"), ("dark", "slate"))):
            context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page, watched = context.new_page(), Watched()
            watched.watch(page, address)
            for name in LOOKED_AT:
                page.goto(address + name, wait_until="load")
                assert page.evaluate("document.body.dataset.mdColorScheme") == shown
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width, "overflows")
                assert page.evaluate("[...document.images].every(image => image.naturalWidth)"), name
            context.close()
            assert not watched.problems, (width, scheme)


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


def test_every_model_that_ships_has_a_card_with_a_picture_and_what_it_is_bad_at():
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    bad_at = "".join(line for line in page.splitlines() if line.startswith("| [`"))
    for name in shipped_names():
        if name == "features":  # no task's: it judges what generators draw
            continue
        assert f"`{name}`" in bad_at, name
        picture = {"stylize": "styles", "decompress": "models/compress"}.get(name, f"models/{name}")
        assert f"](pictures/{picture}.webp)" in page, name
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "pictures" / "models").iterdir()) < 400_000


def test_every_error_stands_below_its_exit_code(site):
    page = (site / "reference" / "exit_codes" / "index.html").read_text(encoding="utf-8")
    below = dict(re.findall(r'<h2 id="(\d+)">(.*?)(?=<h2|</article>)', page, re.DOTALL))
    named = {name: int(code) for code, text in below.items() for name in re.findall(r"<code>(\w+)</code>", text)}
    errors = {name: kind for name, kind in vars(edgevision.core.errors).items() if isinstance(kind, type)}
    assert named == {name: kind.exit_code for name, kind in errors.items() if issubclass(kind, EdgevisionError)}
    assert f"<td>{exit_code(KeyboardInterrupt())}</td>" in page


def test_the_schemas_are_there_as_files(site):
    schema = json.loads((site / "reference" / "schemas" / "run-detect.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["schema_version"] == {"const": 1}
