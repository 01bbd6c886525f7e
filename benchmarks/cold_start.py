"""Whole-process time and memory of the command line beside the shortest script that does the same.

    python benchmarks/cold_start.py [MODEL.onnx] [PICTURE] [--rounds 20]

Programs take turns (A B C A B C), so that whatever else the machine does hits all alike. Ratios are of medians, with
a 95 % bootstrap interval over the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident MB of one run."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    process.returncode = 0
    return seconds, usage.ru_maxrss / 1024


def ratio_interval(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """median(a) / median(b) and its 95 % bootstrap interval, rounds resampled in pairs."""
    generator = np.random.default_rng(0)
    picks = generator.integers(0, len(a), (2000, len(a)))
    ratios = np.median(np.array(a)[picks], axis=1) / np.median(np.array(b)[picks], axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return statistics.median(a) / statistics.median(b), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=str(ROOT / "runtime/assets/classify.onnx"))
    parser.add_argument("picture", nargs="?", default=str(ROOT / "examples/pictures/cat.jpg"))
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    edgevision = str(Path(sys.executable).parent / "edgevision")
    programs = {
        "bare script": [sys.executable, str(ROOT / "benchmarks/bare_classify.py"), arguments.model, arguments.picture],
        "run classify": [edgevision, "run", "classify", arguments.picture, "--model", arguments.model],
        "import typer": [sys.executable, "-c", "import typer"],
        "--help": [edgevision, "--help"],
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for command in programs.values():
        measure(command)  # the first run of each reads its files from disk
    for _ in range(arguments.rounds):
        for name, command in programs.items():
            samples[name].append(measure(command))
    print(f"{'program':<14} {'median s':>9} {'min s':>8} {'max s':>8} {'peak MB':>8}")
    for name, runs in samples.items():
        seconds = [s for s, _ in runs]
        memory = statistics.median(m for _, m in runs)
        print(f"{name:<14} {statistics.median(seconds):9.3f} {min(seconds):8.3f} {max(seconds):8.3f} {memory:8.1f}")
    for name, beside in (("run classify", "bare script"), ("--help", "import typer")):
        time_ratio = ratio_interval([s for s, _ in samples[name]], [s for s, _ in samples[beside]])
        memory_ratio = ratio_interval([m for _, m in samples[name]], [m for _, m in samples[beside]])
        print(
            f"{name} over {beside}: time {time_ratio[0]:.2f} ({time_ratio[1]:.2f} to {time_ratio[2]:.2f}),"
            f" memory {memory_ratio[0]:.2f}"
        )


if __name__ == "__main__":
    main()
