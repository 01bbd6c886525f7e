"""Peak memory of restoring a smooth picture, beside what --memory and the picture allow: twice the one, and the other.

    python benchmarks/picture_memory.py denoise 13000 13000 [--memory 256MB] [--ending jpg] [--options -m MODEL]

The picture counts as it was read, with its mask, and as it was restored; what a picture of 64x64 takes is added.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from edgevision.cli.values import parse_size

# The peak of a process that measures itself: that of a child is at least what its parent had when it began.
MEASURED = """
import atexit, runpy, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: print(status.read_text().split("VmHWM:")[1].split()[0], file=sys.stderr))
runpy.run_module("edgevision", run_name="__main__")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["inpaint", "denoise", "upscale", "brighten"])
    parser.add_argument("height", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("--memory", default="256MB")
    parser.add_argument("--ending", default="png")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[])
    arguments = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    with tempfile.TemporaryDirectory() as name:
        base, _ = peak(Path(name), arguments, 64, 64)
        taken, pictures = peak(Path(name), arguments, arguments.height, arguments.width)
    allowed = base + pictures + 2 * parse_size(arguments.memory, "--memory")
    print("| task | picture | memory | peak MB | base + pictures + twice the memory |\n|---|---|---|---|---|")
    size = f"{arguments.width}x{arguments.height}"
    print(f"| {arguments.task} | {size} | {arguments.memory} | {taken >> 20} | {allowed >> 20} |")


def peak(folder: Path, arguments: argparse.Namespace, height: int, width: int) -> tuple[int, int]:
    """The bytes that a run on a picture of that size takes at most, and those of its pictures."""
    inputs, output = [folder / "large.png"], folder / f"result.{arguments.ending}"
    slope = (np.linspace(0, 200, height)[:, None] + np.linspace(0, 55, width)).astype(np.uint8)
    Image.fromarray(np.dstack([slope, 255 - slope, slope // 2])).save(inputs[0], compress_level=1)
    if arguments.task == "inpaint":
        holes = np.zeros((height, width), np.uint8)
        holes[height // 3 : height // 2, width // 2 : width // 2 + 40] = 255
        inputs.append(folder / "mask.png")
        Image.fromarray(holes).save(inputs[1])
    run = ["run", arguments.task, *map(str, inputs), "-o", str(output), "--memory", arguments.memory]
    command = [sys.executable, "-c", MEASURED, *run, "--quiet", "--force", *arguments.options]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    with Image.open(output) as result:
        pictures = 3 * height * width + 3 * result.width * result.height
    return int(printed.split()[-1]) << 10, pictures + (height * width if arguments.task == "inpaint" else 0)


if __name__ == "__main__":
    main()
