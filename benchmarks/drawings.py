"""What people see of answers: ten drawn pictures for each way of finding things, large and small, to be looked at.

    python benchmarks/drawings.py bccd.zip salient.zip nuclei.zip faces68.zip OUT

Of each zip's test pictures ten are taken evenly, and brought in turn to a third, to their own and to three times their
size. OUT gets a folder for each task with the drawn pictures as they are, and beside it a sheet of all, each shrunk to
fit. What is cut out lies on a checkerboard; what replaces a person is the person of the picture before.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import edgevision
from edgevision.core.errors import ImageError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.contact_sheet import contact_sheet
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.cutter import open_cutter
from edgevision.runtime.compositions.remover import open_remover
from edgevision.runtime.compositions.replacer import open_replacer

COUNT, CELL = 10, 380
SCALES = (1.0, 1 / 3, 3.0)

Draw = Callable[[Image.Image, Image.Image], Any]
"""Of a picture, and of the one before it."""


def pictures(data: Path) -> Iterator[tuple[str, Image.Image]]:
    """Ten pictures of the test split, by name, in turn at their own size, smaller and larger."""
    folder = ImageFolder(data, ["test"])
    for number, index in enumerate(np.linspace(0, len(folder.names) - 1, COUNT).astype(int)):
        image, scale = folder.image(index).convert("RGB"), SCALES[number % len(SCALES)]
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        yield Path(folder.names[index]).stem, image.resize(size, Image.Resampling.BICUBIC)


def on_checkerboard(cut: Picture) -> Image.Image:
    """A cut-out where transparency is seen."""
    image = cut.to_pillow().convert("RGBA")
    rows, columns = np.indices((image.height, image.width)) // 16
    board = np.where((rows + columns) % 2, 255, 205).astype(np.uint8)
    return Image.alpha_composite(Image.fromarray(board).convert("RGBA"), image).convert("RGB")


def cell(image: Image.Image) -> np.ndarray:
    """A picture that is fitted into a cell of the sheet, on white."""
    small = image.convert("RGB")
    small.thumbnail((CELL, CELL))
    board = Image.new("RGB", (CELL, CELL), "white")
    board.paste(small, ((CELL - small.width) // 2, (CELL - small.height) // 2))
    return np.asarray(board)


def sheet(name: str, data: Path, draw: Draw, out: Path) -> None:
    """The drawn pictures of one task, and all of them on a sheet."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    cells, captions = [], []
    before: Image.Image | None = None
    for stem, image in pictures(data):
        before, last = image, before or image
        try:
            drawn = draw(image, last)
        except ImageError as error:
            print(f"{name} {stem}: {error}")
            drawn = image
        drawn = drawn.to_pillow() if isinstance(drawn, Picture) else drawn
        drawn.convert("RGB").save(folder / f"{stem}.png")
        cells.append(cell(drawn))
        captions.append(f"{stem[:30]} {image.width}x{image.height}")
    Image.fromarray(contact_sheet(np.stack(cells), 5, captions)).save(out / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cells", "persons", "nuclei", "faces", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    find, segment, part = (edgevision.load(name) for name in ("detect", "segment", "segment_nuclei"))
    points = edgevision.load("keypoints")
    cut, remove, replace = open_cutter(), open_remover(), open_replacer()
    tasks: dict[str, tuple[Path, Draw]] = {
        "detect": (given.cells, lambda image, _: find(image).draw(image)),
        "segment": (given.persons, lambda image, _: segment(image).draw(image)),
        "segment_nuclei": (given.nuclei, lambda image, _: part(image).draw(image)),
        "keypoints": (given.faces, lambda image, _: points(image).draw(image)),
        "cutout": (given.persons, lambda image, _: on_checkerboard(cut(image))),
        "remove": (given.persons, lambda image, _: remove(image)),
        "replace": (given.persons, lambda image, last: replace(image, last, classes=("person",))),
    }
    for name, (data, draw) in tasks.items():
        sheet(name, data, draw, given.out)
        print(given.out / f"{name}.png")


if __name__ == "__main__":
    main()
