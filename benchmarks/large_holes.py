"""Large holes: the network's smooth fill, texture, what auto chooses, and OpenCV, in one run.

    python benchmarks/large_holes.py --photos photos [--count 24] [--sheets DIR]

A box with sides of 90 to 170 pixels, at most half the picture's, is cut into each photograph that the training holds
out. PSNR is that inside the hole; detail is the mean absolute Laplacian of the luma in the hole over that in the 20
pixels around it; seconds are of CPU time on one thread. With ``--sheets`` objects are removed from photographs, for a
person to judge: what was marked, Navier-Stokes, the smooth fill, auto.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.images import to_array
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.figures import psnr_db

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# By a part of the file's name: the box (left, top, right, bottom) around what is removed, with its corners rounded.
OBJECTS = {
    "oystercatcher": (140, 85, 280, 235),
    "grey_fox": (118, 60, 297, 200),
    "robin.": (78, 8, 218, 195),
    "warplane": (118, 100, 300, 195),
    "n02129165_lion.": (102, 172, 184, 288),
    "chickadee": (62, 28, 278, 230),
    "ruffed": (160, 72, 318, 207),
    "black_widow": (45, 18, 218, 252),
    "Norfolk_te": (125, 12, 375, 238),
    "dung_beetle": (42, 72, 268, 248),
    "dowitcher": (132, 52, 282, 228),
    "whippet": (112, 16, 256, 236),
    "meerkat": (92, 8, 318, 252),
    "langur": (-40, 88, 172, 255),
    "box_turtle": (58, 42, 282, 240),
    "standard_sch": (70, 12, 282, 254),
    "white_wolf": (146, -60, 332, 218),
    "Cardigan": (275, -60, 460, 178),
    "red-breasted": (75, 20, 272, 218),
    "fiddler": (76, 42, 314, 212),
    "balloon": (-60, -60, 240, 218),
    "impala": (188, 62, 304, 204),
    "American_egret": (12, 222, 128, 440),
}
ON_A_SHEET = 4


def cut_box(height: int, width: int, generator: np.random.Generator) -> Mask:
    rows, columns = (int(generator.integers(min(90, side // 2), min(170, side // 2) + 1)) for side in (height, width))
    top, left = int(generator.integers(height - rows + 1)), int(generator.integers(width - columns + 1))
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + rows, left : left + columns] = True
    return mask


def around_object(height: int, width: int, box: tuple[int, int, int, int]) -> Mask:
    left, top, right, bottom = box
    rows, columns = np.mgrid[:height, :width]
    across = np.abs((columns - (left + right) / 2) / ((right - left) / 2))
    down = np.abs((rows - (top + bottom) / 2) / ((bottom - top) / 2))
    return np.asarray(across**4 + down**4 < 1)


def detail(picture: Pixels, mask: Mask, around: Mask) -> float:
    """Of the hole without its outermost pixels, over that around it."""
    laplacian = np.abs(cv2.Laplacian(luma_of(picture), cv2.CV_32F))
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(laplacian[inner].mean() / laplacian[around].mean())


def ring(mask: Mask) -> Mask:
    wide, narrow = (
        cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=0) > 0 for side in (41, 5)
    )
    return np.asarray(wide & ~narrow)


def compare(photos: list[Pixels], methods: dict[str, Callable[[Pixels, Mask], Pixels]]) -> None:
    generator = np.random.default_rng(0)
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in methods}
    chosen: list[bool] = []
    for photo in photos:
        mask = cut_box(*photo.shape[:2], generator)
        torn = np.where(mask[:, :, None], np.uint8(0), photo)
        around = ring(mask)
        results = {}
        for name, method in methods.items():
            started = time.process_time()
            results[name] = method(torn, mask)
            seconds = time.process_time() - started
            psnr = psnr_db(as_float(photo)[mask], as_float(results[name])[mask])
            figures[name].append((psnr, detail(results[name], mask, around), seconds))
        chosen.append(bool((results["auto"] != results["smooth"]).any()))
    for what, holes in (
        (f"all {len(photos)}", np.ones(len(photos), np.bool_)),
        (f"{sum(chosen)} where auto takes texture", np.array(chosen)),
        (f"{len(chosen) - sum(chosen)} where auto stays smooth", ~np.array(chosen)),
    ):
        for name, values in figures.items():
            if holes.any():
                psnr, ratio, seconds = np.array(values)[holes].mean(0)
                print(f"| {what} | {name} | {psnr:.2f} | {ratio:.2f} | {seconds:.2f} |", flush=True)
    worst = max(seconds for _, _, seconds in figures["texture"])
    ratios = [values[1] for values, taken in zip(figures["auto"], chosen, strict=True) if taken]
    print(f"slowest texture {worst:.2f} s; detail of at least 0.5 in {sum(r >= 0.5 for r in ratios)} of {len(ratios)}")


def write_sheets(data: ImageFolder, methods: dict[str, Callable[[Pixels, Mask], Pixels]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for part, box in OBJECTS.items():
        photo = to_array(data.image(next(index for index, name in enumerate(data.names) if part in name)))
        mask = around_object(*photo.shape[:2], box)
        marked = np.where(mask[:, :, None], photo // 3 + 170, photo).astype(np.uint8)
        torn = np.where(mask[:, :, None], np.uint8(0), photo)
        shown = [marked, *(methods[name](torn, mask) for name in ("OpenCV Navier-Stokes", "smooth", "auto"))]
        rows.append(np.concatenate([np.pad(each, ((0, 4), (0, 388 - each.shape[1]), (0, 0))) for each in shown], 1))
    for first in range(0, len(rows), ON_A_SHEET):
        Image.fromarray(np.concatenate(rows[first : first + ON_A_SHEET])).save(folder / f"{first // ON_A_SHEET}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--count", type=int, default=24, help="spread evenly")
    parser.add_argument("--sheets", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = ImageFolder(arguments.photos)
    held_out = [index for index, name in enumerate(data.names) if is_held_out(name)]
    spread = np.linspace(0, len(held_out) - 1, min(arguments.count, len(held_out))).astype(int)
    photos = [to_array(data.image(held_out[place])) for place in spread]
    with edgevision.load("inpaint", threads=1) as inpaint:
        methods: dict[str, Callable[[Pixels, Mask], Pixels]] = {
            "OpenCV Telea": lambda torn, mask: cv2.inpaint(torn, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA),
            "OpenCV Navier-Stokes": lambda torn, mask: cv2.inpaint(torn, mask.astype(np.uint8), 3, cv2.INPAINT_NS),
            "smooth": lambda torn, mask: inpaint(torn, mask, fill="smooth").pixels,
            "texture": lambda torn, mask: inpaint(torn, mask, fill="texture").pixels,
            "auto": lambda torn, mask: inpaint(torn, mask, fill="auto").pixels,
        }
        print("| holes | method | PSNR dB | detail | CPU s |\n|---|---|---|---|---|")
        compare(photos, methods)
        if arguments.sheets:
            write_sheets(data, methods, arguments.sheets)


if __name__ == "__main__":
    main()
