"""The page in Chromium, of a server with the models that ship, and what it has to keep to in every test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from watched_browser import Watched

from tests.runtime.serving.conftest import serving


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of a server with all models that ship."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    with serving() as client:
        yield f"http://127.0.0.1:{client.port}"


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
