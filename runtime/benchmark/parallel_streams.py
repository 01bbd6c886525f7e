"""How much a model gets through when several inferences run at once.

Every stream is a thread with an engine of its own, and they share the cores out among them. One ONNX Runtime session
could serve all threads, but then all wait for the one pool that computes; an OpenVINO request serves one at a time.
Engines of their own never wait for each other. The price is the weights in memory once for each stream.
"""

import threading
import time
from contextlib import ExitStack

import numpy as np

from edgevision.core.machine import usable_cores
from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.statistics import Estimate, percentile
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.engines.engine import Engine


@record
class Streams(Record):
    """``streams`` inferences at once, each on ``threads_each`` threads.

    ``throughput`` is pictures a second of all of them, the percentiles are of single inferences beside the others.
    """

    streams: int
    threads_each: int
    runs: int
    seconds: float
    throughput: float
    p50_ms: Estimate
    p99_ms: Estimate


def measure_streams(subject: Subject, streams: int, *, seconds: float) -> Streams:
    """Run ``streams`` engines of the subject's model at once for ``seconds``, each at least three times."""
    threads_each = max(1, (subject.threads or usable_cores()) // streams)
    with ExitStack() as stack:
        engines = [stack.enter_context(subject.reopen(threads_each)) for _ in range(streams)]
        for engine in engines:
            engine.run(subject.inputs)
        gate = threading.Barrier(streams + 1)
        times: list[list[int]] = [[] for _ in engines]
        failures: list[BaseException] = []
        workers = [
            threading.Thread(target=_stream, args=(engine, subject, gate, seconds, durations, failures))
            for engine, durations in zip(engines, times, strict=True)
        ]
        for worker in workers:
            worker.start()
        gate.wait()
        start = time.perf_counter_ns()
        for worker in workers:
            worker.join()
        took = (time.perf_counter_ns() - start) / 1e9
    if failures:
        raise failures[0]
    milliseconds = np.concatenate(times) / 1e6
    return Streams(
        streams=streams,
        threads_each=threads_each,
        runs=len(milliseconds),
        seconds=took,
        throughput=subject.batch * len(milliseconds) / took,
        p50_ms=percentile(milliseconds, 0.5),
        p99_ms=percentile(milliseconds, 0.99),
    )


def _stream(
    engine: Engine,
    subject: Subject,
    gate: threading.Barrier,
    seconds: float,
    durations: list[int],
    failures: list[BaseException],
) -> None:
    clock = time.perf_counter_ns
    gate.wait()
    end = clock() + int(seconds * 1e9)
    try:
        while len(durations) < 3 or clock() < end:
            start = clock()
            engine.run(subject.inputs)
            durations.append(clock() - start)
    except BaseException as error:  # it is raised again where somebody sees it
        failures.append(error)
