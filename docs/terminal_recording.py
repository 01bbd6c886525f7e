"""Make the recording of a terminal in the README: three commands, run here and now, and what they say.

    python docs/terminal_recording.py    # writes docs/pictures/terminal.svg; run it on a quiet machine

The screens show one after another, in 20 seconds; who asked for reduced motion sees the last one.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDING = ROOT / "docs" / "pictures" / "terminal.svg"
SCREENS = (
    ("edgevision export examples/checkpoints/gan.pt --int8 --preset quick -o gan.onnx",),
    (
        "edgevision run inpaint examples/pictures/cat.jpg examples/mask.png -o cat.png",
        "edgevision bench gan.onnx --seconds 2 --device cpu",
    ),
)
"""The commands of each; they go on with the files of those before them."""
SECONDS = 20
PROMPT = "$ "
COLUMNS = 116
CHARACTER = (7.25, 17)
"""Width and height in pixels of one of the terminal's."""
MARGIN = 18
STYLE = """
  rect { fill: #16191f; rx: 8px }
  text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre }
  .command { fill: #ffffff; font-weight: 600 }
"""


def run(command: str, folder: Path) -> list[str]:
    """The command behind a prompt, and the lines that it prints in ``folder``, folded to :data:`COLUMNS`.

    Raises:
        CalledProcessError: it failed.
    """
    environment = os.environ | {"COLUMNS": str(COLUMNS), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    printed = (textwrap.wrap(line, COLUMNS, drop_whitespace=False) or [""] for line in done.stdout.splitlines())
    return [PROMPT + command, *(piece for pieces in printed for piece in pieces)]


def text(line: str, row: int) -> str:
    """One line of the SVG."""
    kind = "command" if line.startswith(PROMPT) else "output"
    return f'<text x="{MARGIN}" y="{MARGIN + (row + 0.8) * CHARACTER[1]:.1f}" class="{kind}">{escape(line)}</text>'


def keyframes(number: int, of: int) -> str:
    """When screen ``number`` is to be seen; the first is at once, as printers and previews show no more."""
    start, end = 100 * number / of, 100 * (number + 1) / of
    shown = f"0%, {start:.2f}% {{ opacity: 0 }} {start + 0.5:.2f}%" if number else "0%"
    return (
        f"  @keyframes screen{number} {{ {shown}, {end - 0.5:.2f}%"
        f" {{ opacity: 1 }} {end:.2f}%, 100% {{ opacity: 0 }} }}\n"
        f"  .screen{number} {{ animation: screen{number} {SECONDS}s infinite; opacity: {int(number == of - 1)} }}\n"
    )


def recording(screens: list[list[str]]) -> str:
    """The SVG, which needs nothing beside itself."""
    rows = max(len(lines) for lines in screens)
    width, height = COLUMNS * CHARACTER[0] + 2 * MARGIN, rows * CHARACTER[1] + 2 * MARGIN
    drawn = [
        f'<g class="screen{number}">{"".join(text(line, row) for row, line in enumerate(lines) if line)}</g>'
        for number, lines in enumerate(screens)
    ]
    moving = "".join(keyframes(number, len(screens)) for number in range(len(screens)))
    still = "  @media (prefers-reduced-motion: reduce) { g { animation: none !important } }\n"
    title = "edgevision at work: " + "; ".join(command for commands in SCREENS for command in commands)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{moving}{still}</style>\n"
        f'<rect width="100%" height="100%"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        screens = [[line for command in commands for line in run(command, Path(folder))] for commands in SCREENS]
    RECORDING.parent.mkdir(exist_ok=True)
    RECORDING.write_text(recording(screens), encoding="utf-8")
    print(RECORDING.relative_to(ROOT))
