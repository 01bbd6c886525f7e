"""The verb ``edgevision tour``."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw

from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo
from edgevision.core.errors import OutputError, PartialFailureError

_PICTURES = Path(__file__).parents[1] / "assets" / "tour"

_STEPS = (
    ("What is in a picture, of ten classes", "run classify cat.jpg"),
    ("Fill what a mask marks, here strokes of white", "run inpaint torn.jpg mask.png -o filled.jpg"),
    ("Twice as large", "run upscale cat.jpg -o large.jpg"),
    ("Where a person is", "run segment face.jpg -o outline.jpg"),
    ("A person without the background", "run cutout face.jpg -o person.png"),
    ("How fast it is here, and whether the figure can be trusted", "bench classify --device ort:cpu --seconds 1"),
)


def tour(
    folder: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the pictures, which must not exist.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = Path("edgevision-tour"),
) -> None:
    """Show the product in a minute: six commands on two pictures, each as you would type it.

    The pictures and what is made of them stay in the folder, in which the commands run again as they are printed.

    Examples:
        edgevision tour
    """
    if folder.exists():
        raise OutputError(f"{str(folder)!r} exists; name another folder, or remove it")
    shutil.copytree(_PICTURES, folder)
    _tear(folder)
    for what, command in _STEPS:
        echo(f"\n{what}:\n$ edgevision {command}")
        done = subprocess.run([sys.executable, "-m", "edgevision", *shlex.split(command)], cwd=folder, check=False)
        if done.returncode:
            raise PartialFailureError(f"the tour ends here: edgevision {command} failed, as it says above")
    echo(f"\nThe pictures are in {folder}. edgevision --help has the rest; edgevision serve shows it in a browser.")


def _tear(folder: Path) -> None:
    """A picture with strokes of white, and the mask of these."""
    with Image.open(folder / "cat.jpg") as picture:
        mask = Image.new("L", picture.size)
        drawing = ImageDraw.Draw(mask)
        width, height = picture.size
        for left, right in ((0.1, 0.4), (0.5, 0.9)):
            drawing.line([(left * width, 0.2 * height), (right * width, 0.5 * height)], fill=255, width=5)
        mask.save(folder / "mask.png")
        picture.paste("white", mask=mask)
        picture.save(folder / "torn.jpg", quality=95)
