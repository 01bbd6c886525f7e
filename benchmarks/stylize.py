"""Content and style loss of photographs painted by a stylization network, and a sheet of them.

    python benchmarks/stylize.py --photos photos --style wave.jpg starry.jpg --features classifier.pt \
        --model styles.onnx [OTHER.onnx...] [--sheet styles.jpg] [--count 12]

``--photos`` holds the photographs of the training: of the tenth held out the first ``--count`` are painted, with a
longer side of 256 pixels, and compared with the paintings, called as the styles, as in the training: 0 is no
difference, in the Gram matrices (style) and the maps (content) of the classifier's features. The rows without a model
are of the photographs as they are, and of them in the painting's mean colour and contrast (Reinhard et al. 2001), which
is what takes no network. The sheet shows each photograph and what the first model makes of it.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import edgevision
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.images import to_array
from edgevision.imaging.lab import from_lab, to_lab
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float
from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.crop_batches import planes
from edgevision.training.style_loss import StyleLoss

Pixels = np.ndarray
Method = Callable[[Pixels, str], Pixels]

ON_A_SHEET = 6
_SIDE = 256


def main() -> None:
    """Print one row a method and style."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--style", nargs="+", required=True, type=Path)
    parser.add_argument("--features", required=True)
    parser.add_argument("--model", nargs="+", required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--count", type=int, default=12)
    arguments = parser.parse_args()
    data = ImageFolder(arguments.photos)
    held_out = [index for index, name in enumerate(data.names) if is_held_out(name)][: arguments.count]
    photos = [sized(to_array(data.image(index))) for index in held_out]
    paintings = {path.stem: sized(to_array(Image.open(path))) for path in arguments.style}
    loss = StyleLoss(ClassifierFeatures.read(arguments.features), [tensor(painting) for painting in paintings.values()])
    methods: dict[str, Method] = {
        "the photograph": lambda photo, style: photo,
        "colours of the painting": lambda photo, style: recolored(photo, paintings[style]),
    }
    for model in arguments.model:
        methods[f"edgevision {Path(model).stem}"] = partial(painted, edgevision.load(model, task="stylize"))
    print("| method | style | style loss | content loss |\n|---|---|---|---|")
    for name, method in methods.items():
        for number, style in enumerate(paintings):
            found = [compared(loss, photo, method(photo, style), number) for photo in photos]
            values = " | ".join(f"{value:.3f}" for value in np.mean(found, axis=0))
            print(f"| {name} | {style} | {values} |", flush=True)
    if arguments.sheet is not None:
        first = methods[f"edgevision {Path(arguments.model[0]).stem}"]
        rows = [[photo, *(first(photo, style) for style in paintings)] for photo in photos[:ON_A_SHEET]]
        sheet([list(paintings.values()), *rows]).save(arguments.sheet)


def sized(pixels: Pixels) -> Pixels:
    """The picture with a longer side of 256 pixels."""
    factor = _SIDE / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def tensor(pixels: Pixels) -> torch.Tensor:
    """float32 (1, 3, H, W) in 0..1."""
    return torch.from_numpy(planes(pixels))[None]


@torch.inference_mode()
def compared(loss: StyleLoss, photo: Pixels, made: Pixels, style: int) -> tuple[float, float]:
    """Style and content loss."""
    losses = loss(tensor(made), tensor(photo), torch.tensor([style]))
    return float(losses.style), float(losses.content)


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
    return canvas


if __name__ == "__main__":
    main()
