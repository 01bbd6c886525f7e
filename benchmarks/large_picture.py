"""Time and peak memory of restoring a picture of 24 megapixels, each task in a process of its own.

    python benchmarks/large_picture.py [PHOTO] [--memory 256MB] [--tasks inpaint upscale]

The photograph is enlarged to 6000x4000 and, for inpainting, gets strokes all over and a hole of 600 pixels.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from edgevision.data.degradations import draw_holes
from edgevision.data.hole_kinds import HoleKind

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", default=str(ROOT / "examples/pictures/cat.jpg"))
    parser.add_argument("--memory", default="256MB")
    parser.add_argument("--tasks", nargs="+", default=["inpaint", "denoise", "upscale", "brighten"])
    arguments = parser.parse_args()
    print("| task | seconds | peak MB |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Image.open(arguments.photo) as photo:
            photo.convert("RGB").resize((6000, 4000), Image.Resampling.BICUBIC).save(folder / "large.jpg", quality=95)
        holes = draw_holes(HoleKind.STROKES, 1000, 1500, np.random.default_rng(0))
        mask = np.asarray(Image.fromarray(holes).resize((6000, 4000), Image.Resampling.NEAREST)).copy()
        mask[1500:2100, 2500:3100] = True
        Image.fromarray(mask).save(folder / "mask.png")
        for task in arguments.tasks:
            pictures = [str(folder / "large.jpg"), *([str(folder / "mask.png")] if task == "inpaint" else [])]
            command = [sys.executable, "-m", "edgevision", "run", task, *pictures, "-o", str(folder / f"{task}.jpg")]
            start = time.perf_counter()
            process = subprocess.Popen([*command, "--memory", arguments.memory, "--quiet"])
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise SystemExit(f"{task} failed")
            process.returncode = 0
            print(f"| {task} | {time.perf_counter() - start:.1f} | {usage.ru_maxrss / 1024:.0f} |", flush=True)


if __name__ == "__main__":
    main()
