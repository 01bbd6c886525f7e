"""The colours that the shipped model gives gray photographs, beside gray and the mean colour.

    python benchmarks/colorize.py --photos photos [--model MODEL...] [--sheet colors.jpg]

``--photos`` holds the photographs of the training: the tenth that it holds out is coloured, the others give the mean
colour. Figures are means over the pictures: PSNR of a and b of CIE Lab (the peak being 255; a picture without a colour
counts as 60 dB), and colourfulness (Hasler & Süsstrunk 2003). The sheet shows the gray picture, the mean colour, the
first model and the photograph.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import edgevision
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.images import to_array
from edgevision.imaging.lab import from_lab, lightness_of, to_lab
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.figures import colorfulness, psnr_db

Array = np.ndarray

_MOST_DB = 60.0
ON_A_SHEET = 12
_SIDE = 160


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--model", nargs="*", default=["colorize"])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    data = ImageFolder(arguments.photos)
    photos = [as_float(to_array(data.image(index))) for index, name in enumerate(data.names) if is_held_out(name)][
        : arguments.count
    ]
    methods: dict[str, Callable[[Array], Array]] = {
        "gray": lambda gray: np.repeat(gray, 3, axis=2),
        "mean colour": partial(mean_colored, ab=mean_color(data)),
    }
    for name in arguments.model:
        methods[f"edgevision {name}"] = partial(colored, edgevision.load(name, task="colorize"))
    methods["the photograph"] = lambda gray: gray
    print("| method | PSNR of ab, dB | PSNR, dB | colourfulness |\n|---|---|---|---|")
    shown: list[list[Array]] = [[] for _ in photos[:: max(1, len(photos) // ON_A_SHEET)][:ON_A_SHEET]]
    for name, method in methods.items():
        figures = []
        for number, photo in enumerate(photos):
            made = photo if name == "the photograph" else method(luma_of(photo)[:, :, None])
            figures.append((psnr_of_ab(photo, made), min(psnr_db(photo, made), _MOST_DB), colorfulness(made)))
            place, rest = divmod(number, max(1, len(photos) // ON_A_SHEET))
            if rest == 0 and place < len(shown):
                shown[place].append(made)
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in np.mean(figures, axis=0))} |", flush=True)
    if arguments.sheet is not None:
        sheet(shown).save(arguments.sheet, quality=90)


def mean_color(data: ImageFolder) -> Array:
    """The mean a and b of every eighth of the photographs that are trained on."""
    trained = [index for index, name in enumerate(data.names) if not is_held_out(name)][::8]
    means = [to_lab(as_float(to_array(data.image(index))))[:, :, 1:].mean(axis=(0, 1)) for index in trained]
    return np.mean(means, axis=0)


def mean_colored(gray: Array, ab: Array) -> Array:
    """The picture all of one colour."""
    return from_lab(lightness_of(gray[:, :, 0]), np.broadcast_to(ab.astype(np.float32), (*gray.shape[:2], 2)))


def colored(colorize: Callable[[Picture], Picture], gray: Array) -> Array:
    """The picture in the colours of the model."""
    return as_float(colorize(Picture(gray)).pixels)


def psnr_of_ab(photo: Array, made: Array) -> float:
    """In dB, at most that of a picture without a colour."""
    unit = [to_lab(rgb)[:, :, 1:] / 255 for rgb in (photo, made)]
    return min(psnr_db(*unit), _MOST_DB)


def sheet(rows: list[list[Array]]) -> Image.Image:
    """Two columns of rows from left to right, every picture at most so high."""
    half = -(-len(rows) // 2)
    width, count = _SIDE, max(map(len, rows))
    canvas = Image.new("RGB", (2 * count * width + 8, half * width), "white")
    for number, row in enumerate(rows):
        for column, samples in enumerate(row):
            image = Image.fromarray((samples * 255 + 0.5).clip(0, 255).astype(np.uint8))
            image.thumbnail((width, width))
            left = (number // half) * (count * width + 8) + column * width
            canvas.paste(image, (left, number % half * width))
    return canvas


if __name__ == "__main__":
    main()
