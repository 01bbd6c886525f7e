"""What translation models make of drawings, beside the mean picture and the picture of the most similar drawing.

    python benchmarks/translate.py --model faces.onnx --pairs pairs [--groups '^(.+)_[0-9]+'] [--sheet faces.png]

``--pairs`` is what `examples/make_pairs.py` wrote: the tenth that training holds out is drawn, in all squares of
``--side`` that fit; the others' squares give the mean picture and those to choose from. Figures are means over squares,
but the Fréchet distance (in the features of the classifier that ships) is one of all together, that of real pictures
being between two halves of them. The sheet shows the drawing, the mean, the most similar, the
model's, and what was there.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.data.picture_pairs import PairedFolder, halves
from edgevision.data.point_annotations import held_out_by
from edgevision.imaging.contact_sheet import contact_sheet
from edgevision.imaging.images import to_array
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.feature_distances import frechet_distance
from edgevision.metrics.figures import psnr_db, ssim
from edgevision.runtime.shipped_models import shipped_feature_classifier
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier

Pixels = NDArray[np.uint8]

ON_A_SHEET = 12
_THUMBNAIL = 24
"""Side in which drawings are compared."""


class Pair(NamedTuple):
    """Two squares uint8 (side, side, 3)."""

    drawing: Pixels
    picture: Pixels


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--groups")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    folder, is_held = PairedFolder(arguments.pairs), held_out_by(arguments.groups)
    known = squares(folder.only(lambda name: not is_held(name)), arguments.side)
    judged = squares(folder.only(is_held), arguments.side)
    thumbnails = np.stack([thumbnail(pair.drawing) for pair in known])
    mean = np.mean([pair.picture for pair in known], axis=0).round().astype(np.uint8)

    def most_similar(drawing: Pixels) -> Pixels:
        return known[int(np.square(thumbnails - thumbnail(drawing)).sum(axis=1).argmin())].picture

    with (
        edgevision.load(arguments.model, task="translate", threads=1) as translate,
        FeatureClassifier.open(shipped_feature_classifier(), threads=1) as judge,
    ):
        methods: dict[str, Callable[[Pixels], Pixels]] = {
            "the drawing itself": lambda drawing: drawing,
            "mean picture": lambda drawing: mean,
            "picture of the most similar drawing": most_similar,
            f"edgevision {translate.metadata.name}": lambda drawing: translate(drawing).pixels,
        }
        real = features(judge, [pair.picture for pair in judged])
        rows = [[pair.drawing for pair in judged]]
        print(f"{len(judged)} held-out squares, {len(known)} others\n")
        print("| method | PSNR, dB | SSIM | Fréchet distance | ms |\n|---|---|---|---|---|")
        for name, method in methods.items():
            begin = time.process_time()
            made = [method(pair.drawing) for pair in judged]
            milliseconds = 1000 * (time.process_time() - begin) / len(judged)
            scores = [figures(pair.picture, each) for pair, each in zip(judged, made, strict=True)]
            psnr, similarity = np.mean(scores, axis=0)
            far = frechet_distance(real, features(judge, made))
            print(f"| {name} | {psnr:.2f} | {similarity:.3f} | {far:.2f} | {milliseconds:.1f} |", flush=True)
            rows.append(made)
        print(f"| half of the pictures that were there | | | {frechet_distance(real[::2], real[1::2]):.2f} | |")
    rows.append([pair.picture for pair in judged])
    if arguments.sheet is not None:
        chosen = np.linspace(0, len(judged) - 1, ON_A_SHEET).astype(int)
        shown = np.stack([row[place] for row in (rows[0], *rows[2:]) for place in chosen])
        Image.fromarray(contact_sheet(shown, ON_A_SHEET)).save(arguments.sheet)


def squares(folder: PairedFolder, side: int) -> list[Pair]:
    """All that fit into the pairs, one beside the other."""
    found: list[Pair] = []
    for index in range(len(folder)):
        drawing, picture = halves(to_array(folder.image(index)))
        height, width = picture.shape[:2]
        found += [
            Pair(*(each[top : top + side, left : left + side] for each in (drawing, picture)))
            for top in range(0, height - side + 1, side)
            for left in range(0, width - side + 1, side)
        ]
    return found


def thumbnail(drawing: Pixels) -> NDArray[np.float32]:
    """What of a drawing is compared."""
    return np.asarray(
        Image.fromarray(drawing).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), np.float32
    ).ravel()


def figures(picture: Pixels, made: Pixels) -> tuple[float, float]:
    """PSNR in dB, and the SSIM of the luma."""
    return psnr_db(picture / 255, made / 255), ssim(luma_of(as_float(picture)), luma_of(as_float(made)))


def features(judge: FeatureClassifier, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    """The features (N, D) of pictures of one size."""
    return judge(pictures)[0]


if __name__ == "__main__":
    main()
