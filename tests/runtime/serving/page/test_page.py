"""What holds for the whole page: its sizes, its words when something is wrong, its token, what it is without sight."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.serving.conftest import serving
from tests.runtime.serving.page.actions import CAT, choose_task, open_picture, paint, run

AXE_VERSION = "4.14.1"


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(viewport={"width": width, "height": 844})
    open_picture(page)
    for task in ("inpaint", "detect", "generate"):
        choose_task(page, task)
        if task == "inpaint":
            paint(page, across=40)
        run(page)
        page.wait_for_selector("#busy", state="hidden")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_the_server_refuses_is_said_in_its_words(page, watched, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(CAT.read_bytes()[:2000])
    page.set_input_files("#picture-input", broken)
    page.wait_for_selector("#unseen:not([hidden])")
    choose_task(page, "classify")
    run(page)
    assert "broken.jpg" in page.locator("#problem-text").inner_text()
    assert len(watched.refusals) == 1
    open_picture(page)
    assert page.locator("#problem").is_hidden()


def test_a_server_that_is_gone_is_said_with_what_to_do(open_page, watched):
    with serving() as client:
        page = open_page(f"http://127.0.0.1:{client.port}")
        page.wait_for_selector("#task-choices label")
        open_picture(page)
        choose_task(page, "classify")
    run(page)
    assert page.locator("#problem-text").inner_text() == "The server does not answer."
    assert "edgevision serve" in page.locator("#problem-remedy").inner_text()
    watched.problems = [problem for problem in watched.problems if "ERR_" not in problem]


def test_a_token_is_asked_for_once_and_again_where_it_is_wrong(open_page, watched):
    with serving("--token", "the-right-token-of-this-server") as client:
        page = open_page(f"http://127.0.0.1:{client.port}")
        for token in ("one-that-nobody-has-given", "the-right-token-of-this-server"):
            page.wait_for_selector("#token-dialog[open]")
            page.fill("#token", token)
            page.click("#token-form button")
            page.wait_for_timeout(200)
        page.wait_for_selector("#task-choices label")
        open_picture(page)
        choose_task(page, "classify")
        run(page)
        assert page.locator("#answer .headline").inner_text()
    assert watched.refusals


def test_a_picture_is_dropped_or_pasted_too(page):
    give = """([bytes, kind]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "given.jpg", { type: "image/jpeg" }));
      const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    for kind in ("drop", "paste"):
        page.evaluate(give, [list(CAT.read_bytes()), kind])
        page.wait_for_selector("#canvas:not([hidden])")
        page.reload()
        page.wait_for_selector("#task-choices label")


def test_a_picture_that_comes_before_the_tasks_waits_for_them(page):
    held: list[Any] = []
    page.route("**/v1/tasks", lambda route: held.append(route))
    with page.expect_request("**/v1/tasks"):
        page.reload()
    page.set_input_files("#picture-input", CAT)
    page.wait_for_timeout(200)
    held[0].continue_()
    page.wait_for_selector("#canvas:not([hidden])")


def test_the_camera_streams_through_a_task(open_page):
    page = open_page(permissions=["camera"])
    page.wait_for_selector("#task-choices label")
    page.click("#tab-camera")
    choose_task(page, "classify")
    page.click("#camera-start")
    page.wait_for_selector("#run-facts dt:text('Frames a second')")
    assert page.locator("#answer .headline").inner_text()
    choose_task(page, "brighten")
    page.wait_for_selector("#slider:not([hidden])", state="attached")
    page.click("#camera-stop")
    assert page.locator("#canvas").is_hidden()
    page.click("#tab-picture")
    assert page.locator("#empty").is_visible()


def test_everything_is_reached_by_keys(page):
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:2] == ["tab-picture", "task-inpaint"]
    assert {"run", "choose-picture"} <= set(reached)
    page.locator("#task-inpaint").press("ArrowRight")
    assert page.locator("#task-denoise").is_checked()


@pytest.fixture(scope="module")
def axe(made_once: Callable[..., Path]) -> str:
    """axe-core's script, from npm; ``AXE_CORE`` names another ``axe.min.js``."""
    given = os.environ.get("AXE_CORE")
    if given:
        return Path(given).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which brings axe-core, is not on this machine")

    def pack(folder: Path) -> None:
        command = [npm, "pack", f"axe-core@{AXE_VERSION}", "--silent", "--pack-destination", str(folder)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)

    try:
        packed = made_once("axe-core", pack) / f"axe-core-{AXE_VERSION}.tgz"
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm does not give axe-core: {str(getattr(error, 'stderr', '') or error).strip()[:200]}")
    with tarfile.open(packed) as package:
        return package.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1200)])
def test_axe_finds_nothing_serious(open_page, axe, scheme, width):
    page = open_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.wait_for_selector("#task-choices label")

    def findings() -> list[Any]:
        page.wait_for_timeout(200)  # until colours have changed
        page.evaluate(axe)
        found = page.evaluate("axe.run().then((results) => results.violations)")
        return [
            (each["id"], [node["html"] for node in each["nodes"]])
            for each in found
            if each["impact"] in ("serious", "critical", "moderate")
        ]

    assert findings() == []
    open_picture(page)
    paint(page, across=40)
    page.click("#options-box summary")
    assert findings() == []
    run(page)
    assert findings() == []
    for task in ("classify", "detect", "generate"):
        choose_task(page, task)
        run(page)
        page.wait_for_selector("#busy", state="hidden")
        assert findings() == []
