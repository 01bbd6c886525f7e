"""How well subjects are cut out, before and after their mattes are refined, and what that takes.

    python benchmarks/cutout.py quality salient.zip --segmenter persons.onnx [--matting 0 0.2 0.4]
    python benchmarks/cutout.py cost [--side 1200x1600 4000x6000]

Quality is the mean IoU of alpha from one half on with masks, and how far alpha is from them on average, over the
folders val/ and test/ of a zip of NAME.jpg with NAME.png, white where the subject is. Cost is the CPU time of one
thread and the peak of memory beside the picture and its result, of a coarse mask of a smooth picture, without the
network.
"""

import argparse
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

import edgevision
from edgevision.core.errors import ImageError
from edgevision.imaging.cutouts import cut_out
from edgevision.imaging.pictures import Picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    quality = verbs.add_parser("quality")
    quality.add_argument("data", type=Path)
    quality.add_argument("--segmenter", required=True)
    quality.add_argument("--matting", type=float, nargs="+", default=[0, 0.2, 0.4])
    cost = verbs.add_parser("cost")
    cost.add_argument("--side", nargs="+", default=["1200x1600", "4000x6000"], help="HEIGHTxWIDTH")
    cost.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.verb == "quality":
        measure_quality(arguments.data, arguments.segmenter, arguments.matting)
    elif arguments.measure:
        measure_cost(arguments.measure)
    else:
        print("| picture | matting | seconds | peak MB beside picture and result |\n|---|---|---|---|")
        for side in arguments.side:
            for matting in ("0", "0.4"):
                # The peak of a process that measures itself.
                command = [sys.executable, __file__, "cost", "--measure", f"{side}:{matting}"]
                print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)


def measure_quality(data: Path, segmenter: str, mattings: list[float]) -> None:
    pairs = []
    with zipfile.ZipFile(data) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(("val/", "test/")) and name.endswith(".jpg"):
                truth = Picture.read(archive.read(f"{name[:-3]}png")).pixels[:, :, 0] > 127
                pairs.append((Picture.read(archive.read(name)), truth))
    print(f"{len(pairs)} pictures\n| matting | IoU | mean absolute error | nobody found |\n|---|---|---|---|")
    with edgevision.load("cutout", segmenter=segmenter, threads=1) as cutter:
        for matting in mattings:
            cutter.matting = matting
            overlaps, errors, missed = [], [], 0
            for picture, truth in pairs:
                try:
                    alpha = cutter(picture).alpha / 255
                except ImageError:
                    alpha, missed = np.zeros(truth.shape), missed + 1
                inside = alpha >= 0.5
                overlaps.append((inside & truth).sum() / max((inside | truth).sum(), 1))
                errors.append(np.abs(alpha - truth).mean())
            print(f"| {matting:g} | {np.mean(overlaps):.4f} | {np.mean(errors):.4f} | {missed} |", flush=True)


def measure_cost(what: str) -> None:
    sides, _, matting = what.partition(":")
    height, width = map(int, sides.split("x"))
    slopes = np.linspace(0, 200, height).astype(np.uint8), np.linspace(0, 55, width).astype(np.uint8)
    picture = Picture(np.empty((height, width, 3), np.uint8))
    for channel in range(3):
        np.add.outer(*slopes, out=picture.pixels[:, :, channel])
    rows, columns = np.mgrid[:256, :256] / 255 - 0.5
    mask = np.hypot(rows, columns) < 0.35
    cut_out(Picture(picture.pixels[:64, :64]), mask, strength=float(matting))
    before = peak()
    started = time.process_time()
    cut = cut_out(picture, mask, strength=float(matting))
    seconds = time.process_time() - started
    assert cut.alpha is not None
    taken = peak() - before - cut.pixels.nbytes - cut.alpha.nbytes
    print(f"| {width}x{height} | {matting} | {seconds:.2f} | {taken / 2**20:.0f} |")


def peak() -> int:
    """Bytes that this process held at most."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) << 10


if __name__ == "__main__":
    main()
