"""What a person does with the page, and what they see."""

from pathlib import Path
from typing import Any

CAT = Path(__file__).parents[4] / "examples" / "pictures" / "cat.jpg"


def open_picture(page: Any, picture: Path = CAT) -> None:
    page.set_input_files("#picture-input", picture)
    page.wait_for_selector("#canvas:not([hidden])")


def choose_task(page: Any, task: str) -> None:
    page.locator(f"label:has(#task-{task})").click()


def run(page: Any) -> None:
    """Run, and wait for what comes out."""
    page.click("#run")
    page.wait_for_selector("#result:not([hidden]), #problem:not([hidden])")


def download(page: Any, button: str = "#download") -> tuple[str, bytes]:
    """The name and the content of the file that the browser would keep."""
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def middle(page: Any) -> tuple[float, float]:
    """Of the stage, in the window."""
    canvas = page.locator("#canvas")
    canvas.scroll_into_view_if_needed()  # in a narrow window it stands below the tasks
    box = canvas.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def paint(page: Any, *, across: int = 120, from_middle: int = 0) -> None:
    """A stroke to the right, from the middle of the stage."""
    x, y = middle(page)
    page.mouse.move(x + from_middle, y)
    page.mouse.down()
    page.mouse.move(x + from_middle + across, y + 20, steps=6)
    page.mouse.up()


def pixel(page: Any, x: float, y: float) -> list[int]:
    """Red, green and blue that the canvas shows there, in the window's pixels."""
    page.wait_for_timeout(80)
    shown: list[int] = page.evaluate(
        """([x, y]) => {
          const canvas = document.getElementById("canvas");
          const { left, top } = canvas.getBoundingClientRect();
          const read = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          read.drawImage(canvas, left - x, top - y);
          return [...read.getImageData(0, 0, 1, 1).data.slice(0, 3)];
        }""",
        [x, y],
    )
    return shown
