"""Memory, drops and breaks while a stream goes on that is faster than the model, for as long as is asked.

    python benchmarks/stream_memory.py [--seconds 300] [--source lavfi:testsrc=size=320x240:rate=1000] [--task classify]
    python benchmarks/stream_memory.py --rtsp 1000       # frames a second of rtsp_camera.py: GStreamer's packages

The slope is that of the resident memory over the seconds behind the first tenth, by least squares. An RTSP camera is
killed after half of the time and started again two seconds later; each of its frames holds its number, by which every
answer is told to be of its own frame, and every frame between two answers to be among those that were dropped.
"""

import argparse
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

import edgevision
from edgevision.core.process_memory import resident_mb
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.streams.live_source import LiveSource
from edgevision.runtime.streams.pump import Answered, pump
from edgevision.runtime.streams.source import Excerpt

_PORT = 8554
_BITS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--source", default="lavfi:testsrc=size=320x240:rate=1000")
    parser.add_argument("--rtsp", type=int, metavar="RATE")
    parser.add_argument("--task", default="classify")
    arguments = parser.parse_args()
    samples: list[tuple[float, float]] = []
    ages: deque[float] = deque(maxlen=10_000)  # nothing of ours may grow here
    codes = TimeCodes()
    began = time.monotonic()

    def deliver(answered: Answered) -> None:
        now, frame = time.monotonic(), answered.frame
        ages.append(answered.done - frame.arrived)
        if arguments.rtsp:
            codes.see(frame)
        if not samples or now - began - samples[-1][0] >= 1:
            samples.append((now - began, resident_mb() or 0.0))
        if now - began > arguments.seconds:
            source.close()

    with ExitStack() as opened:
        name = arguments.source
        if arguments.rtsp:
            name = opened.enter_context(rtsp_camera(arguments.rtsp, arguments.seconds / 2))
        answer = opened.enter_context(edgevision.load(arguments.task, threads=1))
        source = opened.enter_context(LiveSource(name, Excerpt(), retry=60))
        flow = pump([source], lambda frames: answer([frame.pixels for frame in frames]), deliver)
    seconds, megabytes = np.array([sample for sample in samples if sample[0] > arguments.seconds / 10]).T
    slope = 60 * np.polyfit(seconds, megabytes, 1)[0]
    print(
        f"{flow.frames[0]} frames answered and {flow.dropped[0]} dropped in {flow.seconds:.0f} s; resident"
        f" {megabytes[0]:.1f} to {megabytes[-1]:.1f} MB, slope {slope:+.3f} MB a minute; from arrival to answer"
        f" {1e3 * np.median(ages):.1f} ms in the median, {1e3 * np.percentile(ages, 99):.1f} at the 99th percentile"
    )
    if arguments.rtsp:
        print(
            f"broke off {source.breaks} times, away for {source.gone:.1f} s; by the numbers in them {codes.again}"
            f" frames were answered twice, and at {codes.apart} places frames were lost or the camera began anew"
        )


class TimeCodes:
    """What the numbers in frames say: they go on by as much as the frames' own, but where the camera began anew.

    Attributes:
        again: how many answers were of a frame that was answered already.
        apart: at how many places frames and numbers do not go on alike.
    """

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self.again = self.apart = 0

    def see(self, frame: Frame) -> None:
        """Take in the next frame that was answered."""
        now = frame.number, code_in(frame.pixels)
        if self._last is not None:
            ahead = (now[1] - self._last[1]) % (1 << _BITS)
            self.again += ahead == 0
            self.apart += ahead != now[0] - self._last[0]
        self._last = now


def code_in(pixels: np.ndarray) -> int:
    """The number that is burnt into a frame."""
    bars = pixels.mean(axis=(0, 2)).reshape(_BITS, -1).mean(axis=1)
    return int(sum(1 << bit for bit, light in enumerate(bars) if light > 127))


@contextmanager
def rtsp_camera(rate: int, killed_after: float) -> Iterator[str]:
    """The address of a camera that is killed after so many seconds, and is back after two more."""
    running: list[subprocess.Popen[str]] = []

    def start() -> str:
        script = Path(__file__).with_name("rtsp_camera.py")
        command = ["/usr/bin/python3", str(script), "--rate", str(rate), "--port", str(_PORT)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        output = running[-1].stdout
        assert output is not None
        return output.readline().strip()

    def restart() -> None:
        running[-1].kill()
        running[-1].wait()
        time.sleep(2)
        start()

    address = start()
    timer = threading.Timer(killed_after, restart)
    timer.start()
    try:
        yield address
    finally:
        timer.cancel()
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
