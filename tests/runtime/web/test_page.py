"""The site as a visitor has it."""

import json
from pathlib import Path

CAT = Path(__file__).parents[3] / "examples" / "pictures" / "cat.jpg"


def _proved(page):
    page.wait_for_selector(".proof-used", timeout=120_000)


def _classified(page):
    page.set_input_files("#picture-input", CAT)
    page.wait_for_selector("#canvas:not([hidden])")
    page.locator("label:has(#task-classify)").click()
    page.click("#run")
    page.wait_for_selector("#result:not([hidden]), #problem:not([hidden])", timeout=60_000)
    return page.inner_text("#answer .headline")


def test_the_page_is_isolated_proves_itself_and_classifies(open_site, edgevision):
    page = open_site()
    _proved(page)
    assert page.evaluate("crossOriginIsolated")
    found = json.loads(edgevision("run", "classify", CAT, "--json")[1])["results"][0]["predictions"][0]
    assert _classified(page).split() == [found["label"], f"{100 * found['probability']:.0f}", "%"]


def test_what_was_seen_once_works_without_a_network(open_site):
    page = open_site()
    _proved(page)
    page.wait_for_function(
        """async () => {
          const [name] = await caches.keys();
          return Boolean(await (await caches.open(name)).match(new URL("local/tasks/classify.js", location.href)));
        }"""
    )
    page.context.set_offline(True)
    page.reload()
    _proved(page)
    assert _classified(page).startswith("cat")
