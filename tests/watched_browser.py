"""Chromium for tests, and what must not happen in a page while one runs."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

_ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
_REFUSED = re.compile(r"the server responded with a status of 4\d\d")


@contextmanager
def open_browser() -> Iterator[Any]:
    """Chromium; the test is skipped where there is none."""
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
