"""A site of models that ship, on a server that knows nothing of it, and Chromium that opens it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from watched_browser import Watched

from edgevision.core.errors import InputError
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.web.browser import local_server
from edgevision.runtime.web.onnxruntime_web import VERSION, runtime_files
from edgevision.runtime.web.site import build_site

_NO_GPU = "No available adapters."
"""Chromium's own words where it is asked for WebGPU."""


@pytest.fixture
def hollow_runtime(tmp_path: Path) -> Path:
    """The package of npm with files that hold nothing, for sites that nobody opens."""
    folder = tmp_path / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(f'{{"version": "{VERSION}"}}')
    for build, binary in (("wasm", ""), ("webgpu", ".jspi")):
        (folder / "dist" / f"ort.{build}.min.mjs").write_text("export {};")
        for kind in ("mjs", "wasm"):
            (folder / "dist" / f"ort-wasm-simd-threaded{binary}.{kind}").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def write_site(made_once: Callable[..., Path]) -> Callable[..., Path]:
    """Write the site of models that ship once; the test is skipped where npm's package cannot be had."""
    pytest.importorskip("onnxruntime")
    try:
        runtime_files()
    except InputError as error:
        pytest.skip(str(error))

    def write(*models: str) -> Path:
        return made_once(
            f"site of {' '.join(models)}", lambda folder: build_site([shipped_model(name) for name in models], folder)
        )

    return write


@pytest.fixture(scope="session")
def site(write_site: Callable[..., Path]) -> Path:
    """Of two small models."""
    return write_site("classify", "generate")


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with local_server(site) as address:
        yield address


@pytest.fixture
def open_site(browser: Any, address: str, watched: Watched) -> Iterator[Callable[..., Any]]:
    """Open the page in a browser that has never seen it; at the end nothing may have gone wrong in it."""
    contexts = []

    def open_it(**settings: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | settings))
        contexts.append(context)
        page = context.new_page()
        watched.watch(page, address)
        page.goto(address)
        page.wait_for_selector("#task-choices label")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert [problem for problem in watched.problems if problem != _NO_GPU] == []
