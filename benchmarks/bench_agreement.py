"""What ``edgevision bench`` says beside what others say of the same model, interleaved in one run.

    python benchmarks/bench_agreement.py [MODEL.onnx] [--shape 1x3x32x32] [--threads 1] [--rounds 40]

Three comparisons, each of medians with a 95 % interval of their ratio:

* The timer of ``edgevision bench`` beside a loop around ``InferenceSession.run`` written by hand: each on a session
  of its own, on the same input, a block of each in every round, the order alternating. Two sessions of one model differ
  by some per cent, so both are opened anew several times.
* ``edgevision bench --device openvino:cpu`` beside OpenVINO's ``benchmark_app -hint latency -api sync``, whole
  processes alternating. With that hint benchmark_app takes no number of threads, so both have all cores.
* The timer with the board's telemetry beside it, and without.

Ratios say how many times as fast as the others edgevision measures: 1 is what they should be.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import onnxruntime

from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import ratio_of_medians
from edgevision.runtime.benchmark.subject import Subject, load_subject
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.runtime.telemetry.sampler import Telemetry

SESSIONS = 8
ROOT = Path(__file__).parent.parent


@contextmanager
def load(path: Path, settings: Settings, threads: int) -> Iterator[Subject]:
    assert settings.shape is not None
    subject = load_subject(path, "cpu", threads, settings.shape[0], settings)
    with subject.engine:
        yield subject


def say(what: str, ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    means = ([np.mean(part, keepdims=True) for part in series] for series in (theirs, ours))
    ratio = ratio_of_medians(*means, paired=True)
    medians = " beside ".join(f"{np.median(np.concatenate(series)):.4f} ms" for series in (ours, theirs))
    print(f"{what}: {medians}, {ratio.value:.4f} ({ratio.low:.4f} to {ratio.high:.4f}) times as fast", flush=True)


def beside_a_loop(path: Path, settings: Settings, threads: int, rounds: int) -> None:
    ours: list[np.ndarray] = []
    by_hand: list[np.ndarray] = []
    for _ in range(SESSIONS):
        with load(path, settings, threads) as subject:
            timed, looped = alternating(subject, path, threads, max(2, rounds // SESSIONS))
        ours += timed
        by_hand += looped
    say("edgevision beside a loop by hand", ours, by_hand)


def alternating(subject: Subject, path: Path, threads: int, rounds: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = subject.inputs
    timer = InterleavedTimer({"edgevision": subject.infer}, block_ms=100)
    by_hand = []

    def loop(runs: int) -> list[float]:
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            session.run(None, feeds)
            times.append((time.perf_counter() - start) * 1000)
        return times

    timed = timer.timed["edgevision"]
    timer.run_round()
    runs = timed.rounds[0]
    loop(3 * runs)
    for number in range(rounds):
        for ours in (False, True) if number % 2 else (True, False):
            # What the other one left behind passes before anything counts, for both alike.
            if ours:
                subject.infer()
                timer.run_round()
            else:
                loop(1)
                by_hand.append(np.array(loop(runs)))
    return timed.in_rounds()[1:], by_hand


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
            for ours_now in (False, True) if number % 2 else (True, False):
                done = subprocess.run(command if ours_now else app, capture_output=True, text=True, check=True)
                if ours_now:
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
    timer = InterleavedTimer({"edgevision": subject.infer}, block_ms=1500)
    for number in range(rounds):
        for sampled in (False, True) if number % 2 else (True, False):
            with Telemetry() if sampled else nullcontext():
                timer.run_round()
            (with_it if sampled else without).append(timer.timed["edgevision"].in_rounds()[-1])
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
