"""The site as a visitor has it."""

import json
import shutil
from pathlib import Path

import pytest

from edgevision.runtime.web.browser import local_server

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


def _kept(page):
    """Wait until the last file that a page needs lies in the browser."""
    page.evaluate(
        """async () => {
          const isKept = async () => {
            const [name] = await caches.keys();
            return name && (await (await caches.open(name)).match(new URL("runtime/ort.wasm.min.js", location.href)));
          };
          while (!(await isKept())) await new Promise((resolve) => setTimeout(resolve, 100));
        }"""
    )


def test_the_page_proves_itself_and_classifies(open_site, edgevision):
    page = open_site()
    _proved(page)
    assert page.inner_text("#empty .small") == "It stays on this device."
    found = json.loads(edgevision("run", "classify", CAT, "--json")[1])["results"][0]["predictions"][0]
    assert _classified(page).split() == [found["label"], f"{100 * found['probability']:.0f}", "%"]


def test_what_was_seen_once_is_isolated_and_works_without_a_network(open_site):
    page = open_site()
    _proved(page)
    _kept(page)
    page.context.set_offline(True)
    page.reload()
    _proved(page)
    assert page.evaluate("crossOriginIsolated")
    assert _classified(page).startswith("cat")


def test_for_threads_that_pay_the_page_is_loaded_again_but_not_under_somebodys_hands(open_site):
    page = open_site()
    _proved(page)
    isolate = """async (milliseconds) => {
      const { isolateFor } = await import(new URL("local/isolation.js", location.href));
      await isolateFor(milliseconds);
      return crossOriginIsolated;
    }"""
    assert not page.evaluate(isolate, 1)
    page.set_input_files("#picture-input", CAT)
    page.wait_for_selector("#canvas:not([hidden])")
    assert not page.evaluate(isolate, 1000)
    page = open_site()
    _proved(page)
    # Whatever a test has evaluated counts as somebody's hand.
    page.evaluate("Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false } })")
    with page.expect_navigation():
        page.evaluate(f"void ({isolate})(1000)")
    _proved(page)
    assert page.evaluate("crossOriginIsolated")


def test_what_is_cancelled_is_opened_again(open_site):
    page = open_site()
    _proved(page)
    ended = page.evaluate("""async () => {
      const { runTask } = await import(new URL("local/backend.js", location.href));
      const control = new AbortController();
      const asked = { files: {}, fields: [["count", "64"]], signal: control.signal };
      setTimeout(() => control.abort(), 50);
      const [first] = await Promise.allSettled([runTask("generate", asked)]);
      const second = await runTask("generate", { files: {}, fields: [], signal: new AbortController().signal });
      return [first.reason?.name, second.blob.type];
    }""")
    assert ended == ["AbortError", "image/png"]


def test_what_goes_wrong_is_said(open_site, tmp_path):
    page = open_site()
    _proved(page)
    (tmp_path / "letter.png").write_text("dear")
    page.locator("label:has(#task-classify)").click()
    page.set_input_files("#picture-input", tmp_path / "letter.png")
    page.wait_for_selector("#unseen:not([hidden])")
    page.click("#run")
    page.wait_for_selector("#problem:not([hidden])")
    assert "no picture" in page.inner_text("#problem")
    assert "PNG, JPEG or WebP" in page.inner_text("#problem")


def test_the_camera_is_seen_through_a_model(open_site):
    page = open_site()
    _proved(page)
    page.locator("label:has(#task-classify)").click()
    page.click("#tab-camera")
    page.click("#camera-start")
    page.wait_for_selector("#answer .headline", timeout=60_000)
    page.click("#camera-stop")


@pytest.mark.parametrize(("wrong", "right"), [("wasm", "webgpu"), ("webgpu", "wasm")])
def test_a_backend_that_computes_wrongly_is_not_used_and_the_page_says_so(
    browser, site, edgevision, tmp_path, wrong, right
):
    """Both compute in WebAssembly here, and the one that is meant to be wrong turns its numbers round."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    engine = folder / "local" / "engine.js"
    content = engine.read_text()
    for before, after in {
        "LIBRARIES[backend]": "LIBRARIES.wasm",
        "executionProviders: [backend]": 'executionProviders: ["wasm"]',
        "return new Engine(ort, session, metadata);": f"""const made = new Engine(ort, session, metadata);
        made.run = async (...tensors) => {{
          const outputs = await Engine.prototype.run.call(made, ...tensors);
          if (backend === "{wrong}") outputs.forEach(({{ data }}) => data.reverse());
          return outputs;
        }};
        return made;""",
    }.items():
        assert content.count(before) == 1
        content = content.replace(before, after)
    engine.write_text(content)
    with local_server(folder) as address:
        page = browser.new_context().new_page()
        page.add_init_script(
            "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => ({}) } });"
            "WebAssembly.Suspending ??= class {};"
        )
        page.goto(address)
        page.wait_for_selector("#task-choices label")
        page.wait_for_selector(".proof-row:nth-of-type(3)", timeout=120_000)
        page.wait_for_selector(".proof-row:has-text('being compared')", state="detached", timeout=120_000)
        names = {"wasm": "WebAssembly", "webgpu": "WebGPU"}
        said = [" ".join(row.split()) for row in page.locator(".proof-row").all_inner_texts()]
        rows = {row.split()[0]: row for row in said}
        assert "not used: computes something else" in rows[names[wrong]]
        assert rows[names[right]].startswith(f"{names[right]} used")
        found = json.loads(edgevision("run", "classify", CAT, "--json")[1])["results"][0]["predictions"][0]
        assert _classified(page).startswith(found["label"])
        assert names[right] in page.inner_text("#run-facts")
        page.context.close()
