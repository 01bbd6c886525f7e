"""Whole-process time and memory of the command line beside the shortest script that does the same.

    python benchmarks/cold_start.py [MODEL.onnx] [PICTURE] [--rounds 20]

Programs are run interleaved, so that whatever else the machine does hits all alike. How many times as fast one is as
another comes with its 95 % interval.
"""

import argparse
import os
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from edgevision.runtime.benchmark.timing import InterleavedTimer

ROOT = Path(__file__).parent.parent


def peak_memory_mb(command: list[str]) -> float:
    """Run a program to its end: the most MB that it had resident."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    process.returncode = 0
    return usage.ru_maxrss / 1024


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
    memory: dict[str, list[float]] = {name: [] for name in programs}

    def run(name: str) -> None:
        memory[name].append(peak_memory_mb(programs[name]))

    # The first runs of each, which are not timed, read its files from disk.
    timer = InterleavedTimer({name: partial(run, name) for name in programs})
    timer.measure(0, fewest=arguments.rounds)
    print(f"{'program':<14} {'median s':>9} {'min s':>8} {'max s':>8} {'peak MB':>8}")
    for name, timed in timer.timed.items():
        seconds = timed.milliseconds() / 1e3
        peak = statistics.median(memory[name])
        print(f"{name:<14} {np.median(seconds):9.3f} {seconds.min():8.3f} {seconds.max():8.3f} {peak:8.1f}")
    for name, beside in (("run classify", "bare script"), ("--help", "import typer")):
        found = timer.speedup(name, over=beside)
        more = statistics.median(memory[name]) / statistics.median(memory[beside])
        print(
            f"{name}: {found.ratio:.2f} ({found.low:.2f} to {found.high:.2f}) times as fast as {beside},"
            f" {more:.2f} times its memory"
        )


if __name__ == "__main__":
    main()
