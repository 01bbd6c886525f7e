"""The page in Chromium, of a server with the models that ship, and what it has to keep to in every test."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.runtime.serving.conftest import serving

_ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
_REFUSED = re.compile(r"the server responded with a status of 4\d\d")


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of a server with all models that ship."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    with serving() as client:
        yield f"http://127.0.0.1:{client.port}"


# Not for the session: as long as it is there its event loop runs, and tests of others could not run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """What must not happen while a page is open; ``refusals`` are those of a server that the test provoked."""

    problems: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def watch(self, page: Any, address: str) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._request(request.url, address))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            refused = _REFUSED.search(message.text)
            (self.refusals if refused else self.problems).append(message.text)

    def _request(self, url: str, address: str) -> None:
        if not url.startswith((address, "blob:", "data:")):
            self.problems.append(f"asks {url}")


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def open_page(browser: Any, address: str, watched: Watched) -> Iterator[Callable[..., Any]]:
    """Open the page in a browser of these settings; at the end nothing may have gone wrong in it."""
    contexts = []

    def open_it(address: str = address, **settings: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | settings))
        contexts.append(context)
        page = context.new_page()
        watched.watch(page, address)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert watched.problems == []


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    """The page as it opens, with its tasks there."""
    page = open_page()
    page.wait_for_selector("#task-choices label")
    return page
