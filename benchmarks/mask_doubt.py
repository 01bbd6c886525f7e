"""Whether the network that ships for persons says of its mask that it is none of a person.

    python benchmarks/mask_doubt.py salient.zip photos/

``salient.zip`` holds ``val/`` and ``test/`` pictures of persons; ``photos/`` are ImageNet's samples, of which the
classes up to n02672831 are of animals, a few with a person in them. Of every mask that covers a hundredth of the
picture and more, signals are computed from the share of foreground in each pixel. Prints for each how well it tells
persons from animals (the area under the ROC curve, on halves held out, 5 % to 95 % of 200 divisions), and what a
threshold that doubts a twentieth of one half's persons doubts in the other half.
"""

import argparse
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.runtime.tasks.picture_network import PictureNetwork
from edgevision.runtime.tasks.segmentation.maps import gather_maps
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.spec import SegmentationSpec

FIRST_THING = "n02672831"
SMALLEST_SHARE = 0.01
DIVISIONS = 200

Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("persons", type=Path)
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    with edgevision.load("segment") as segment:
        assert isinstance(segment, Segmenter)
        persons = [signals(foreground(segment, image)) for image in pictures_of_persons(arguments.persons)]
        animals = [signals(foreground(segment, image)) for image in pictures_of_animals(arguments.photos)]
    masks = [[one for one in found if one is not None] for found in (persons, animals)]
    for found, pictures, what in zip(masks, (persons, animals), ("persons", "animals"), strict=True):
        twentieth = np.quantile([one["mean (the score)"] for one in found], 0.05)
        print(f"masks in {len(found)} of {len(pictures)} pictures of {what}, 5 % with a score below {twentieth:.3f}")
    print(f"{'signal':<28} {'area, halves held out':<24} {'persons doubted':>16} {'animals doubted':>16}")
    for name in masks[0][0]:
        areas, doubted = held_out(*(np.array([one[name] for one in found]) for found in masks))
        low, high = np.quantile(areas, (0.05, 0.95))
        interval = f"{np.mean(areas):.3f} ({low:.3f} to {high:.3f})"
        print(f"{name:<28} {interval:<24} {100 * doubted[:, 0].mean():>14.1f} % {100 * doubted[:, 1].mean():>14.1f} %")


def pictures_of_persons(archive: Path) -> Iterator[Image.Image]:
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if name.endswith(".jpg") and not name.startswith("train/"):
                yield Image.open(BytesIO(files.read(name))).convert("RGB")


def pictures_of_animals(folder: Path) -> Iterator[Image.Image]:
    for path in sorted(folder.iterdir()):
        if path.name < FIRST_THING:
            yield Image.open(path).convert("RGB")


def foreground(segment: Segmenter, image: Image.Image) -> Floats:
    """The share of foreground in each cell of the network's map."""
    metadata = segment.metadata
    head = metadata.spec_as(SegmentationSpec).head
    assert metadata.image is not None
    assert head is not None
    network = PictureNetwork(metadata, metadata.image)
    tensor, _ = network.tensor(image)
    (outputs,) = network.run(segment.engine, [tensor])
    (shares,) = gather_maps(head, outputs).values()
    return np.squeeze(np.asarray(shares, np.float64))


def signals(shares: Floats) -> dict[str, Any] | None:
    mask = shares[shares > 0.5]
    if mask.size < SMALLEST_SHARE * shares.size:
        return None
    return {
        "mean (the score)": mask.mean(),
        "median": np.median(mask),
        "90th percentile": np.quantile(mask, 0.9),
        "maximum": mask.max(),
        "pixels of 0.3 to 0.7, negated": -np.mean((shares > 0.3) & (shares < 0.7)) / np.mean(shares > 0.5),
    }


def held_out(persons: Floats, animals: Floats) -> tuple[Floats, Floats]:
    """Of each division the area, and the shares of (persons, animals) that are doubted, in the half held out."""
    draw = np.random.default_rng(0)
    areas, doubted = [], []
    for _ in range(DIVISIONS):
        known, person = np.array_split(draw.permutation(persons), 2)
        _, animal = np.array_split(draw.permutation(animals), 2)
        above = person[:, None] - animal[None]
        areas.append(np.mean(above > 0) + np.mean(above == 0) / 2)
        threshold = np.quantile(known, 0.05)
        doubted.append((np.mean(person < threshold), np.mean(animal < threshold)))
    return np.array(areas), np.array(doubted)


if __name__ == "__main__":
    main()
