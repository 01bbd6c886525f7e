"""Painting a mask, and what comes of it, as with a mouse, keys, fingers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.runtime.serving.page.actions import CAT, choose_task, download, middle, open_picture, paint, pixel, run


@pytest.fixture
def painting(page: Any) -> Any:
    """The page with a picture to paint on."""
    open_picture(page)
    choose_task(page, "inpaint")
    return page


def _run_for_mask(page: Any, target: Path) -> None:
    """Run, and write the mask that the page sends; the browser does not show the tests what is in a form."""
    page.evaluate("""() => {
      const send = window.fetch;
      window.fetch = (path, settings) => {
        window.sentMask = settings.body.get("mask");
        return send(path, settings);
      };
    }""")
    run(page)
    target.write_bytes(bytes(page.evaluate("sentMask.arrayBuffer().then((mask) => [...new Uint8Array(mask)])")))


def test_the_downloaded_file_is_that_of_the_command_line_to_the_last_byte(painting, edgevision, tmp_path):
    paint(painting)
    mask = tmp_path / "mask.png"
    _run_for_mask(painting, mask)
    name, content = download(painting)
    written = tmp_path / "cat.jpg"
    assert edgevision("run", "inpaint", CAT, mask, "-o", written, "--threads", 1)[0] == 0
    assert name == "cat-inpaint.jpg"
    assert content == written.read_bytes()
    marked = np.asarray(Image.open(mask))
    assert marked.shape[:2] == (300, 451)
    assert set(np.unique(marked)) == {0, 255}


def test_before_lies_left_of_the_slider_and_after_right_of_it(painting):
    x, y = middle(painting)
    paint(painting, across=40)
    run(painting)
    slider = painting.locator("#slider")
    slider.focus()
    seen = {}
    for key in ("End", "Home"):
        painting.keyboard.press(key)
        seen[slider.input_value()] = pixel(painting, x + 30, y + 12)
    assert set(seen) == {"0", "100"}
    assert seen["0"] != seen["100"]
    painting.mouse.move(x, y - 100)
    painting.mouse.down()
    painting.mouse.move(x + 100, y - 100, steps=4)
    painting.mouse.up()
    assert 55 < float(slider.input_value()) < 70


def test_strokes_are_taken_back_and_made_again(painting):
    undo, redo, hint = (painting.locator(name) for name in ("#undo", "#redo", "#run-hint"))
    empty = "Paint over what is to be filled."
    assert hint.inner_text() == empty
    paint(painting)
    assert hint.inner_text() == ""
    painting.keyboard.press("Control+z")
    assert (undo.is_disabled(), redo.is_disabled(), hint.inner_text()) == (True, False, empty)
    painting.keyboard.press("Control+Shift+z")
    assert (undo.is_disabled(), redo.is_disabled(), hint.inner_text()) == (False, True, "")
    painting.click("#clear-mask")
    assert hint.inner_text() == empty


def test_a_mask_that_may_be_left_out_is_offered_in_words(painting):
    choose_task(painting, "remove")
    hint, button = painting.locator("#run-hint"), painting.locator("#run")
    assert hint.inner_text() == "Paint over what is meant, or name it under Options."
    assert button.get_attribute("aria-disabled") == "false"
    paint(painting)
    assert hint.inner_text() == ""


def test_the_eraser_takes_away_what_the_brush_marked(painting):
    x, y = middle(painting)
    plain = pixel(painting, x + 60, y + 10)
    paint(painting)
    painting.mouse.move(5, 5)
    assert pixel(painting, x + 60, y + 10) != plain
    painting.locator("#canvas").press("e")
    paint(painting)
    painting.mouse.move(5, 5)
    assert pixel(painting, x + 60, y + 10) == plain


def test_keys_change_the_brush_and_paint_with_it(painting):
    painting.locator("#canvas").focus()
    before = int(painting.locator("#brush-size-shown").inner_text())
    painting.keyboard.press("]")
    painting.keyboard.press("]")
    grown = int(painting.locator("#brush-size-shown").inner_text())
    painting.keyboard.press("[")
    assert grown > int(painting.locator("#brush-size-shown").inner_text()) > before
    for key in ("Enter", *["ArrowRight"] * 6, "Enter"):
        painting.keyboard.press(key)
    assert painting.locator("#run-hint").inner_text() == ""
    x, y = middle(painting)
    painting.keyboard.press("ArrowUp")
    marked = pixel(painting, x + 24, y)
    painting.keyboard.press("Control+z")
    assert pixel(painting, x + 24, y) != marked


def test_two_fingers_zoom_and_leave_no_stroke(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    open_picture(page)
    choose_task(page, "inpaint")
    page.locator("#stage").scroll_into_view_if_needed()
    x, y = middle(page)
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    shown = page.locator("#zoom-shown").inner_text()
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 6):
        touch("touchMove", (x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
    touch("touchEnd")
    assert int(page.locator("#zoom-shown").inner_text().split()[0]) > 2 * int(shown.split()[0])
    assert page.locator("#undo").is_disabled()
    touch("touchStart", (x, y))
    touch("touchMove", (x + 30, y + 5))
    touch("touchEnd")
    assert page.locator("#undo").is_enabled()


def _marked(page: Any, target: Path) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns of what the mask marks that the page sends."""
    _run_for_mask(page, target)
    return np.nonzero(np.asarray(Image.open(target).convert("L")))


@pytest.mark.parametrize("way", ["Space", "tool"])
def test_what_is_painted_on_a_moved_picture_lies_where_it_is_seen(painting, tmp_path, way):
    x, y = middle(painting)
    for _ in range(4):
        painting.click("#zoom-in")
    if way == "tool":
        painting.click("#tool-move")
    else:
        painting.locator("#canvas").focus()
        painting.keyboard.down("Space")
    painting.mouse.move(x, y)
    painting.mouse.down()
    painting.mouse.move(x + 80, y + 30, steps=4)
    painting.mouse.up()
    if way == "tool":
        painting.click("#tool-brush")
    else:
        painting.keyboard.up("Space")
    assert painting.locator("#undo").is_disabled()
    painting.mouse.click(x, y)
    scale = int(painting.locator("#zoom-shown").inner_text().split()[0]) / 100
    rows, columns = _marked(painting, tmp_path / "mask.png")
    with Image.open(CAT) as cat:
        width, height = cat.size
    assert abs(columns.mean() - (width / 2 - 80 / scale)) < 1.5
    assert abs(rows.mean() - (height / 2 - 30 / scale)) < 1.5


def test_a_pen_paints_as_it_is_pressed(painting, tmp_path):
    x, y = middle(painting)
    pen = painting.context.new_cdp_session(painting)
    for force, down in ((1, -50), (0.5, 50)):
        for kind, right in (("mousePressed", -30), ("mouseMoved", 30), ("mouseReleased", 30)):
            at = {"x": x + right, "y": y + down, "pointerType": "pen", "button": "left", "buttons": 1}
            pen.send("Input.dispatchMouseEvent", {"type": kind, "force": force, "clickCount": 1, **at})
    rows, columns = _marked(painting, tmp_path / "mask.png")
    marked = rows[columns == int(np.median(columns))]
    with Image.open(CAT) as cat:
        above = marked < cat.height / 2
    assert abs(above.sum() / 2 - (~above).sum()) <= 1


def test_a_pens_other_end_erases(painting):
    x, y = middle(painting)
    paint(painting)
    marked = pixel(painting, x + 60, y + 10)
    # What DevTools send knows no eraser.
    painting.evaluate(
        """([x, y]) => {
          const canvas = document.getElementById("canvas");
          const pen = { pointerId: 1, pointerType: "pen", button: 5, buttons: 32, pressure: 1, bubbles: true };
          const at = (clientX, clientY) => ({ ...pen, clientX, clientY });
          canvas.dispatchEvent(new PointerEvent("pointerdown", at(x, y)));
          canvas.dispatchEvent(new PointerEvent("pointermove", at(x + 120, y + 20)));
          canvas.dispatchEvent(new PointerEvent("pointerup", { ...at(x + 120, y + 20), buttons: 0 }));
        }""",
        [x, y],
    )
    painting.mouse.move(5, 5)
    assert pixel(painting, x + 60, y + 10) != marked


def test_a_mask_may_come_from_a_file_too(painting, tmp_path):
    mask = Image.new("L", (451, 300))
    mask.paste(255, (40, 40, 80, 80))
    mask.save(tmp_path / "mask.png")
    painting.set_input_files("#mask-input", tmp_path / "mask.png")
    painting.wait_for_selector("#undo:not([disabled])")
    sent = tmp_path / "sent.png"
    _run_for_mask(painting, sent)
    assert np.array_equal(np.asarray(Image.open(sent).convert("L")), np.asarray(mask))


def test_a_result_is_the_next_picture_when_asked_for(painting):
    paint(painting)
    run(painting)
    painting.click("#use-result")
    painting.wait_for_selector("#paint-tools:not([hidden])")
    choose_task(painting, "denoise")
    run(painting)
    painting.wait_for_selector("#history-list li:nth-child(2)")
    assert download(painting)[0] == "cat-inpaint-denoise.jpg"
    painting.locator("#history-list button").last.click()
    painting.wait_for_selector("#task-inpaint:checked")
    assert download(painting)[0] == "cat-inpaint.jpg"
