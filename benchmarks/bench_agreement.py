"""What ``edgevision bench`` says beside what others say of the same model, in turns within one run.

    python benchmarks/bench_agreement.py [MODEL.onnx] [--shape 1x3x32x32] [--threads 1] [--rounds 40]

Three comparisons, each of medians with a 95 % interval of their ratio:

* The measuring of ``edgevision bench`` beside a loop around ``InferenceSession.run`` written by hand: each on a session
  of its own, on the same input, a block of each in every round, the order alternating. Two sessions of one model differ
  by some per cent, so both are opened anew several times.
* ``edgevision bench --device openvino:cpu`` beside OpenVINO's ``benchmark_app -hint latency -api sync``, whole
  processes in turn. With that hint benchmark_app takes no number of threads, so both have all cores.
* The measuring with the board's telemetry beside it over the measuring without.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime

from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import ratio_of_medians
from edgevision.runtime.benchmark.subject import Subject, load_subject
from edgevision.runtime.telemetry.sampler import Telemetry

SESSIONS = 8
ROOT = Path(__file__).parent.parent


@contextmanager
def load(path: Path, settings: Settings, threads: int) -> Iterator[Subject]:
    assert settings.shape is not None
    subject = load_subject(path, "cpu", threads, settings.shape[0], settings)
    with subject.engine:
        yield subject


def runs_within(subject: Subject, milliseconds: float) -> int:
    took = subject.first_ms
    for _ in range(20):
        start = time.perf_counter()
        subject.run()
        took = min(took, (time.perf_counter() - start) * 1000)
    return max(4, round(milliseconds / took))


def in_rounds(times: "array[int]", rounds: list[int]) -> list[np.ndarray]:
    return np.split(np.array(times) / 1e6, np.cumsum(rounds)[:-1])


def say(what: str, ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    ratio = ratio_of_medians(theirs, ours, paired=True)
    medians = " beside ".join(f"{np.median(np.concatenate(series)):.4f} ms" for series in (ours, theirs))
    print(f"{what}: {medians}, ratio {ratio.value:.4f} ({ratio.low:.4f} to {ratio.high:.4f})", flush=True)


def beside_a_loop(path: Path, settings: Settings, threads: int, rounds: int) -> None:
    ours: list[np.ndarray] = []
    by_hand: list[np.ndarray] = []
    for _ in range(SESSIONS):
        with load(path, settings, threads) as subject:
            subject_times, loop_times = in_turns(subject, path, threads, max(2, rounds // SESSIONS))
        ours += subject_times
        by_hand += loop_times
    say("edgevision beside a loop by hand", ours, by_hand)


def in_turns(subject: Subject, path: Path, threads: int, rounds: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = subject.feeds
    block = runs_within(subject, 100)
    by_hand = []

    def loop(runs: int) -> list[float]:
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            session.run(None, feeds)
            times.append((time.perf_counter() - start) * 1000)
        return times

    loop(3 * block)
    for number in range(rounds):
        for turn in (0, 1) if number % 2 else (1, 0):
            # What the other one left behind passes before anything counts, for both alike.
            if turn:
                subject.run()
                subject.measure(block)
            else:
                loop(1)
                by_hand.append(np.array(loop(block)))
    return in_rounds(subject.durations, subject.rounds), by_hand


def beside_benchmark_app(path: Path, rounds: int, shape: str, input_name: str) -> None:
    application = Path(sys.executable).parent / "benchmark_app"
    if not application.exists():
        print("benchmark_app is not installed: pip install openvino")
        return
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "edgevision", "bench", str(path), "--device", "openvino:cpu", "--quiet"]
        command += ["--seconds", "3", "--shape", shape, "--output", str(report), "--force"]
        app = [str(application), "-m", str(path), "-d", "CPU", "-hint", "latency", "-api", "sync", "-t", "3"]
        app += ["-infer_precision", "f32", "-shape", f"{input_name}[{shape.replace('x', ',')}]"]
        for number in range(rounds):
            for turn in (0, 1) if number % 2 else (1, 0):
                done = subprocess.run(command if turn else app, capture_output=True, text=True, check=True)
                if turn:
                    ours.append(json.loads(report.read_text())["subjects"][0]["latency"]["p50_ms"]["value"])
                else:
                    found = re.search(r"Median:\s+([\d.]+) (ms|us)", done.stdout)
                    assert found, done.stdout
                    theirs.append(float(found[1]) / (1 if found[2] == "ms" else 1000))
    say("edgevision beside benchmark_app", [np.array([t]) for t in ours], [np.array([t]) for t in theirs])


def beside_itself_without_telemetry(subject: Subject, rounds: int) -> None:
    with_it: list[np.ndarray] = []
    without: list[np.ndarray] = []
    # Each round is long enough to be sampled several times.
    block = runs_within(subject, 1500)
    for number in range(rounds):
        for turn in (0, 1) if number % 2 else (1, 0):
            before = len(subject.durations)
            if turn:
                with Telemetry():
                    subject.measure(block)
            else:
                subject.measure(block)
            (with_it if turn else without).append(np.array(subject.durations[before:]) / 1e6)
    say("with telemetry beside without", with_it, without)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, default=ROOT / "runtime/assets/classify.onnx")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--openvino-rounds", type=int, default=6)
    parser.add_argument("--telemetry-rounds", type=int, default=16)
    parser.add_argument("--shape", default="1x3x32x32")
    arguments = parser.parse_args()

    shape = tuple(int(side) for side in arguments.shape.split("x"))
    settings = Settings(shape=shape)
    beside_a_loop(arguments.model, settings, arguments.threads, arguments.rounds)
    with load(arguments.model, settings, arguments.threads) as subject:
        beside_itself_without_telemetry(subject, arguments.telemetry_rounds)
        name = subject.engine.inputs[0].name
    beside_benchmark_app(arguments.model, arguments.openvino_rounds, arguments.shape, name)


if __name__ == "__main__":
    main()
