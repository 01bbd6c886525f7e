"""A folder of photographs through a light model: `edgevision run` beside a loop that reads, runs and writes in turn.

    python benchmarks/folder_throughput.py PHOTOS [--task brighten] [--count 60] [--rounds 5] [--ending .png]

Both use the model that ships, the same settings and the same encoder, and are timed interleaved. How many times as fast
the one is comes with its 95 % interval.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import edgevision
from edgevision.imaging.pictures import Picture
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.runtime.files.batch import overlapped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--task", default="brighten")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--size", type=int, default=1600, help="long side in pixels, as a small camera's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ending", default=".jpg", help="of what is written")
    arguments = parser.parse_args()
    sources = sorted(arguments.photos.glob("*.jpg"))[: arguments.count]
    with tempfile.TemporaryDirectory() as name, edgevision.load(arguments.task) as restore:
        folder, out = Path(name) / "in", Path(name) / "out"
        folder.mkdir()
        for source in sources:
            image = Picture.read(source).to_pillow()
            scale = arguments.size / max(image.size)
            image.resize((round(image.width * scale), round(image.height * scale))).save(folder / source.name)
        jobs = sorted(folder.iterdir())

        def naive() -> None:
            for job in jobs:
                restore(Picture.read(job)).save(out / f"{job.stem}{arguments.ending}")

        def ours() -> None:
            def write(job: Path, result: Picture) -> None:
                result.save(out / f"{job.stem}{arguments.ending}")

            for _, error in overlapped(jobs, Picture.read, restore, write, at_once=restore.at_once):
                assert error is None

        out.mkdir()
        timer = InterleavedTimer({"loop": naive, "overlapped": ours})
        timer.measure(0, fewest=arguments.rounds)
    for label, timed in timer.timed.items():
        seconds = timed.milliseconds() / 1e3
        print(f"{label}: {len(jobs) / np.median(seconds):.2f} pictures/s, rounds {seconds.round(2).tolist()}")
    found = timer.speedup("overlapped", over="loop")
    print(f"overlapped is {found.ratio:.2f} times as fast ({found.low:.2f} to {found.high:.2f})")


if __name__ == "__main__":
    main()
