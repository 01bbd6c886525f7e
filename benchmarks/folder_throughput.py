"""A folder of photographs through a light model: `edgevision run` beside a loop that reads, runs and writes in turn.

    python benchmarks/folder_throughput.py PHOTOS [--task brighten] [--count 60] [--rounds 5] [--ending .png]

Both use the model that ships, the same settings and the same encoder, and take turns. Ratios are of medians, with a
95 % bootstrap interval over the rounds.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

import edgevision
from edgevision.imaging.pictures import Picture
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

        times: dict[str, list[float]] = {"loop": [], "overlapped": []}
        for _ in range(arguments.rounds):
            for label, run in (("loop", naive), ("overlapped", ours)):
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                start = time.perf_counter()
                run()
                times[label].append(time.perf_counter() - start)
    loop, together = np.array(times["loop"]), np.array(times["overlapped"])
    picks = np.random.default_rng(0).integers(0, len(loop), (2000, len(loop)))
    ratios = np.median(loop[picks], axis=1) / np.median(together[picks], axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    for label, values in times.items():
        print(f"{label}: {len(jobs) / np.median(values):.2f} pictures/s, rounds {[round(v, 2) for v in values]}")
    print(f"overlapped is {np.median(loop) / np.median(together):.2f} times as fast ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
