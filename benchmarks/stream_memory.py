"""Memory while a stream goes on: a source that is faster than the model, for as long as is asked.

    python benchmarks/stream_memory.py [--seconds 300] [--source lavfi:testsrc=size=320x240:rate=1000] [--task classify]

The slope is that of the resident memory over the seconds behind the first tenth, by least squares.
"""

import argparse
import time

import numpy as np

import edgevision
from edgevision.runtime.streams.live_source import LiveSource
from edgevision.runtime.streams.pump import Answered, pump
from edgevision.runtime.streams.source import Excerpt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--source", default="lavfi:testsrc=size=320x240:rate=1000")
    parser.add_argument("--task", default="classify")
    arguments = parser.parse_args()
    samples: list[tuple[float, float]] = []
    ages: list[float] = []
    began = time.monotonic()

    def deliver(answered: Answered) -> None:
        now = time.monotonic()
        ages.append(answered.done - answered.frame.arrived)
        if not samples or now - began - samples[-1][0] >= 1:
            samples.append((now - began, resident_mb()))
        if now - began > arguments.seconds:
            source.close()

    with edgevision.load(arguments.task, threads=1) as answer, LiveSource(arguments.source, Excerpt()) as source:
        flow = pump([source], lambda frames: answer([frame.pixels for frame in frames]), deliver)
    seconds, megabytes = np.array([sample for sample in samples if sample[0] > arguments.seconds / 10]).T
    slope = 60 * np.polyfit(seconds, megabytes, 1)[0]
    print(
        f"{flow.frames[0]} frames answered and {flow.dropped[0]} dropped in {flow.seconds:.0f} s; resident"
        f" {megabytes[0]:.1f} to {megabytes[-1]:.1f} MB, slope {slope:+.3f} MB a minute; from the decoder to the answer"
        f" {1e3 * np.median(ages):.1f} ms in the median, {1e3 * np.percentile(ages, 99):.1f} at the 99th percentile"
    )


def resident_mb() -> float:
    """Of this process, as Linux says it."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096 / 2**20


if __name__ == "__main__":
    main()
