"""Chromium for tests, and what must not happen in a page while one runs."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, groupby, pairwise, product
from math import floor, log10
from pathlib import Path
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


_CHART_TEXTS = """
[...document.querySelectorAll("svg.chart")].map(chart => [...chart.querySelectorAll("text")].map(text => {
  const box = text.getBoundingClientRect();
  return {words: text.textContent, x: text.getAttribute("x"), y: text.getAttribute("y"),
    anchor: text.getAttribute("text-anchor"), box: [box.left, box.top, box.right, box.bottom]};
}).filter(text => text.box[2] > text.box[0]))
"""


def check_report_page(chromium: Any, path: Path, before: Callable[[Any], None] = lambda page: None) -> None:
    """That a page reads on a telephone and on a wide screen, light and dark, after what ``before`` does to it.

    It is no wider than the screen and says nothing on the console; in its charts no two texts cover each other, and
    the ticks are round.
    """
    for width, scheme in product((390, 1200), ("light", "dark")):
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page, watched = context.new_page(), Watched()
        watched.watch(page, path.as_uri())
        page.goto(path.as_uri(), wait_until="load")
        before(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (path.name, width, "overflows")
        charts = page.evaluate(_CHART_TEXTS)
        assert charts, "there is a chart"
        for texts in charts:
            for one, other in combinations(texts, 2):
                assert not _cover(one["box"], other["box"]), (width, one["words"], other["words"])
            _check_ticks(texts)
        context.close()
        assert not watched.problems, (width, scheme)


def _cover(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes of letters have more than a pixel in common; above and below letters a box has some room."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    return wide > 1 and tall > 3


def _check_ticks(texts: Sequence[Mapping[str, Any]]) -> None:
    """That the numbers along each axis, which follow one another, are 1, 2 or 5 times a power of ten apart."""
    for axis, group in groupby(texts, _axis):
        values = [float(text["words"].removesuffix(" s")) for text in group if axis is not None]
        steps = [abs(other - one) for one, other in pairwise(values)]
        # Labels have four digits.
        assert all(step == pytest.approx(steps[0], rel=1e-2) for step in steps), values
        assert all(round(step / 10 ** floor(log10(step) + 1e-3), 1) in (1, 2, 5) for step in steps[:1]), values


def _axis(text: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which axis a number belongs to, by where it is anchored; none for other words."""
    if re.fullmatch(r"-?[\d.]+(e-?\d+)?( s)?", text["words"]) is None:
        return None
    return ("y", text["y"]) if text["anchor"] == "middle" or text["words"].endswith(" s") else ("x", text["x"])
