"""What a measurement found, and its file."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from edgevision.cli.output import REPORT_SCHEMA_VERSION
from edgevision.core.machine import Machine
from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.end_to_end import EndToEnd
from edgevision.runtime.benchmark.memory import MemoryUse
from edgevision.runtime.benchmark.operators import OperatorProfile
from edgevision.runtime.benchmark.parallel_streams import Streams
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import Estimate, Floats, Ratio, mean, outlier_fence, percentile
from edgevision.runtime.benchmark.timing import Clock, WarmUp
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.telemetry.board_report import BoardReport


@record
class Samples(Record):
    """Every inference in order of time: when it began, in seconds of the telemetry's time, and how long it took.

    ``rounds`` says how many of them each round has, ``cpu_ms`` the CPU time of one of them in each, in the mean, or
    ``None`` where models are compared by the clock, as with several threads or on another device than the CPU.
    """

    start_s: tuple[float, ...]
    ms: tuple[float, ...]
    rounds: tuple[int, ...]
    cpu_ms: tuple[float, ...] | None = None

    @property
    def clock(self) -> Clock:
        """What models are compared by."""
        return Clock.WALL if self.cpu_ms is None else Clock.CPU

    def round_means(self, clock: Clock) -> Floats:
        """What one of them took in each round, in the mean, in milliseconds."""
        if clock is Clock.CPU:
            return np.array(self.cpu_ms)
        return np.array([np.mean(part) for part in np.split(np.array(self.ms), np.cumsum(self.rounds)[:-1])])


@record
class Latency(Record):
    """The figures of all samples. ``cv`` is the standard deviation over the mean.

    ``outliers`` are the samples above ``fence_ms``, three interquartile ranges above the third quartile. They are in
    every figure.
    """

    runs: int
    min_ms: float
    p50_ms: Estimate
    p90_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    max_ms: float
    mean_ms: Estimate
    std_ms: float
    cv: float
    outliers: int
    fence_ms: float

    @classmethod
    def of(cls, samples: Floats) -> Self:
        """Summarise times in ms, in their order."""
        average, fence = mean(samples), outlier_fence(samples)
        spread = float(samples.std(ddof=1)) if len(samples) > 1 else 0.0
        return cls(
            runs=len(samples),
            min_ms=float(samples.min()),
            p50_ms=percentile(samples, 0.5),
            p90_ms=percentile(samples, 0.9),
            p95_ms=percentile(samples, 0.95),
            p99_ms=percentile(samples, 0.99),
            max_ms=float(samples.max()),
            mean_ms=average,
            std_ms=spread,
            cv=spread / average.value,
            outliers=int((samples > fence).sum()),
            fence_ms=fence,
        )


@record
class MeasuredModel(Record):
    """One model on one device with so many threads.

    ``name`` is the model file's, ``assignment`` says which nodes ran where.
    """

    name: str
    sha256: str
    precision: str | None
    engine: str
    device: str
    provider: str
    assignment: Assignment
    threads: int | None


@record
class SubjectReport(MeasuredModel):
    """A model that was called on so many pictures at once. Times are milliseconds.

    ``load_ms`` is reading and preparing it, ``first_ms`` the first inference, ``throughput`` pictures a second of one
    inference after another. ``speedup`` is how many times as fast it is as the first subject of the run, by the means
    of the blocks of interleaved rounds, and ``ratio``, which earlier releases gave alone, its inverse: how many times
    as long it takes.
    ``energy_mj`` is for one inference, where the board's power is known and nothing else was measured beside.
    ``denormal_share`` (0..1) of the weights are denormal numbers, which are slow where an engine does not take them for
    zero.
    """

    batch: int
    shapes: Mapping[str, tuple[int, ...]]
    load_ms: float
    first_ms: float
    warmup: WarmUp
    latency: Latency
    throughput: float
    memory: MemoryUse | None = None
    speedup: Ratio | None = None
    ratio: Ratio | None = None
    energy_mj: float | None = None
    denormal_share: float = 0.0
    streams: Streams | None = None
    end_to_end: EndToEnd | None = None
    operators: OperatorProfile | None = None
    samples: Samples

    @property
    def label(self) -> str:
        """What tells it from the other subjects of a run."""
        return f"{self.name}, {self.device}, {threads_words(self.threads)}, batch {self.batch}"


@record
class MeasuredRun(Record):
    """When and where something was measured, and what the board did meanwhile."""

    version: str
    created: str
    machine: Machine
    load_average: float | None
    board: BoardReport

    def to_document(self) -> dict[str, Any]:
        """The JSON document, ``schema_version`` first."""
        return {"schema_version": REPORT_SCHEMA_VERSION} | self.to_dict()


@record
class BenchmarkReport(MeasuredRun):
    """One run: ``seconds`` is how long the measuring took, ``rounds`` how many they were interleaved in.

    ``peak_memory_mb`` is the most that the process had resident while all was loaded.
    """

    settings: Settings
    rounds: int
    seconds: float
    peak_memory_mb: float | None
    subjects: tuple[SubjectReport, ...]


def threads_words(threads: int | None) -> str:
    """As in ``2 threads``."""
    return "all threads" if threads is None else f"{threads} thread{'s' * (threads != 1)}"
