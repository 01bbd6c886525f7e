"""How many small faces are found with and without windows, on mosaics of pictures of one face each.

    python benchmarks/tiled_detection.py faces68.zip FACES.onnx [MORE.onnx] [--mosaics 6]

The pictures are those of ``test/`` in ../shared/data/faces68.zip, 12 x 9 of them in a mosaic of 1,920 x 1,440 pixels. A
face is the box of its 68 points; it is found by a box that overlaps it by 0.3, for points leave out the forehead that
detectors count in. What is found beside them may be a face without points.
"""

import argparse
import csv
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.runtime.tasks.detection.matching import pair_up

COLUMNS, ROWS, SIDE = 12, 9, 160


def mosaics(archive: zipfile.ZipFile, count: int) -> list[tuple[Image.Image, NDArray[np.float32]]]:
    """Mosaics with the boxes (N, 4) of the faces' points."""
    with archive.open("test_frames_keypoints.csv") as file:
        rows = [row for row in csv.reader(io.TextIOWrapper(file)) if row and row[0].endswith(".jpg")]
    order = np.random.default_rng(0).permutation(len(rows))
    per_mosaic = COLUMNS * ROWS
    made = []
    for number in range(count):
        canvas = Image.new("RGB", (COLUMNS * SIDE, ROWS * SIDE))
        boxes = []
        for place, index in enumerate(order[number * per_mosaic : (number + 1) * per_mosaic]):
            name, *numbers = rows[int(index)]
            with archive.open(f"test/{name}") as file:
                picture = Image.open(file).convert("RGB")
            x, y = place % COLUMNS * SIDE, place // COLUMNS * SIDE
            canvas.paste(picture.crop((0, 0, SIDE, SIDE)), (x, y))
            points = np.array(numbers, np.float32).reshape(-1, 2) + np.array([x, y], np.float32)
            boxes.append([*points.min(axis=0), *points.max(axis=0)])
        made.append((canvas, np.array(boxes, np.float32)))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--mosaics", type=int, default=6)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.data) as archive:
        pictures = mosaics(archive, arguments.mosaics)
    print(f"{'model':<12} {'windows':<22} {'found':>7} {'of':>6} {'recall %':>9} {'others':>7}")
    for model in arguments.models:
        for name, options in (
            ("the whole", {}),
            ("auto", {"tile": "auto"}),
            ("auto, blend", {"tile": "auto", "merge": "blend"}),
            ("640 pixels", {"tile": 640}),
        ):
            found = others = faces = 0
            with edgevision.load(model, threads=1, most=1000, **options) as find:
                for picture, boxes in pictures:
                    answer = find(picture)
                    faces += len(boxes)
                    pairs = []
                    if len(answer):
                        pairs = pair_up(intersection_over_union(answer.boxes, boxes), range(len(answer)), 0.3)
                    found += len(pairs)
                    others += len(answer) - len(pairs)
            recall = 100 * found / faces
            print(f"{Path(model).stem:<12} {name:<22} {found:7d} {faces:6d} {recall:9.1f} {others:7d}", flush=True)


if __name__ == "__main__":
    main()
