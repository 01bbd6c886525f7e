"""How photographs painted by a stylization network differ from the paintings and from what they show, and a sheet.

    python benchmarks/stylize.py --photos photos --style wave.jpg starry.jpg [--model stylize OTHER.onnx...] \
        [--sheet styles.jpg] [--count 12]

``--photos`` holds the photographs of the training: of the tenth held out ``--count`` are painted, with a longer side of
384 pixels as the paintings, which are called as the styles. Of both distances (:mod:`edgevision.imaging.patch_style`) 0
is no difference. The rows without a model are of the photographs as they are, and of them in the painting's mean colour
and contrast (Reinhard et al. 2001), which is what takes no network; the last is of a quarter of the
painting itself. The sheet shows photographs and what the first model makes of them.
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
from edgevision.imaging.lab import from_lab, to_lab
from edgevision.imaging.patch_style import content_distance, patch_quantiles, style_distance
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float

Pixels = np.ndarray
Method = Callable[[Pixels, str], Pixels]

ON_A_SHEET = 5
_SIDE = 384


def main() -> None:
    """Print one row a method and style."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--style", nargs="+", required=True, type=Path)
    parser.add_argument("--model", nargs="+", default=["stylize"])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--count", type=int, default=12)
    arguments = parser.parse_args()
    data = ImageFolder(arguments.photos)
    held_out = [index for index, name in enumerate(data.names) if is_held_out(name)]
    held_out = held_out[:: max(1, len(held_out) // arguments.count)][: arguments.count]
    photos = [sized(to_array(data.image(index))) for index in held_out]
    paintings = {path.stem: sized(to_array(Image.open(path))) for path in arguments.style}
    wanted = {style: patch_quantiles(as_float(painting)) for style, painting in paintings.items()}
    methods: dict[str, Method] = {
        "the photograph": lambda photo, style: photo,
        "colours of the painting": lambda photo, style: recolored(photo, paintings[style]),
    }
    for model in arguments.model:
        methods[f"edgevision {Path(model).stem}"] = partial(painted, edgevision.load(model, task="stylize"))
    print("| method | style | from the painting | from the photograph |\n|---|---|---|---|")
    for name, method in methods.items():
        for style in paintings:
            found = []
            for photo in photos:
                made = as_float(method(photo, style))
                found.append(
                    (style_distance(patch_quantiles(made), wanted[style]), content_distance(made, as_float(photo)))
                )
            values = " | ".join(f"{value:.3f}" for value in np.mean(found, axis=0))
            print(f"| {name} | {style} | {values} |", flush=True)
    for style, painting in paintings.items():
        height, width = (side // 2 for side in painting.shape[:2])
        quarter = patch_quantiles(as_float(painting[height:, :width]))
        print(f"| a quarter of the painting | {style} | {style_distance(quarter, wanted[style]):.3f} | |")
    if arguments.sheet is not None:
        first = methods[f"edgevision {Path(arguments.model[0]).stem}"]
        rows = [[photo, *(first(photo, style) for style in paintings)] for photo in photos[:ON_A_SHEET]]
        sheet([list(paintings.values()), *rows]).save(arguments.sheet)


def sized(pixels: Pixels) -> Pixels:
    """The picture with a longer side of 384 pixels."""
    factor = _SIDE / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def painted(stylize: Callable[..., Picture], photo: Pixels, style: str) -> Pixels:
    """The photograph in that style of the model."""
    return stylize(Picture(photo), style=style).pixels


def recolored(photo: Pixels, painting: Pixels) -> Pixels:
    """The photograph with the mean and the deviation that the painting has in every channel of CIE Lab."""
    lab, wanted = (to_lab(as_float(pixels)) for pixels in (photo, painting))
    moved = (lab - lab.mean(axis=(0, 1))) / lab.std(axis=(0, 1)).clip(1e-3)
    moved = (moved * wanted.std(axis=(0, 1)) + wanted.mean(axis=(0, 1))).astype(np.float32)
    return (from_lab(moved[:, :, 0].clip(0, 100), moved[:, :, 1:]) * 255 + 0.5).astype(np.uint8)


def sheet(rows: list[list[Pixels]]) -> Image.Image:
    """Rows of pictures, those of a shorter one to the right."""
    count = max(map(len, rows))
    canvas = Image.new("RGB", (count * _SIDE, len(rows) * _SIDE), "white")
    for top, row in enumerate(rows):
        for column, pixels in enumerate(row, count - len(row)):
            canvas.paste(Image.fromarray(pixels), (column * _SIDE, top * _SIDE))
    return canvas.reduce(2)


if __name__ == "__main__":
    main()
