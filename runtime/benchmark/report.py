"""What a measurement found, and its file."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgevision.cli.output import REPORT_SCHEMA_VERSION
from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError
from edgevision.core.installation import upgrade_command
from edgevision.core.machine import Machine
from edgevision.core.printable import exact_json
from edgevision.core.records import Record, record
from edgevision.core.regular_files import read_text_file
from edgevision.runtime.benchmark.end_to_end import EndToEnd
from edgevision.runtime.benchmark.memory import MemoryUse
from edgevision.runtime.benchmark.operators import OperatorProfile
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import Estimate, Floats, Ratio, mean, outlier_fence, percentile
from edgevision.runtime.benchmark.streams import Streams
from edgevision.runtime.benchmark.timing import WarmUp
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.telemetry.board_report import BoardReport


@record
class Samples(Record):
    """Every inference in order of time: when it began, in seconds of the telemetry's time, and how long it took.

    ``rounds`` says how many of them each round has.
    """

    start_s: tuple[float, ...]
    ms: tuple[float, ...]
    rounds: tuple[int, ...]

    def in_rounds(self) -> list[Floats]:
        """The times of each round."""
        return np.split(np.array(self.ms), np.cumsum(self.rounds)[:-1])


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
class SubjectReport(Record):
    """One model on one device with so many threads and pictures at once. Times are milliseconds.

    ``name`` is the model file's, ``assignment`` says which nodes ran where. ``load_ms`` is reading and preparing it,
    ``first_ms`` the first inference, ``throughput`` pictures a second of one inference after another. ``speedup``
    is how many times as fast it is as the first subject of the run, from rounds in which both ran, and ``ratio``, which
    earlier releases gave alone, its inverse: how many times as long it takes. ``energy_mj`` is for one inference, where
    the board's power is known and nothing else was measured beside. ``denormal_share`` (0..1) of the weights are
    denormal numbers, which are slow where an engine does not take them for zero.
    """

    name: str
    sha256: str
    precision: str | None
    engine: str
    device: str
    provider: str
    assignment: Assignment
    threads: int | None
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
class BenchmarkReport(Record):
    """One run: ``seconds`` is how long the measuring took, ``rounds`` how often the subjects took turns.

    ``peak_memory_mb`` is the most that the process had resident while all was loaded.
    """

    version: str
    created: str
    machine: Machine
    load_average: float | None
    settings: Settings
    board: BoardReport
    rounds: int
    seconds: float
    peak_memory_mb: float | None
    subjects: tuple[SubjectReport, ...]

    def to_document(self) -> dict[str, Any]:
        """The JSON document, ``schema_version`` first."""
        return {"schema_version": REPORT_SCHEMA_VERSION} | self.to_dict()

    def write(self, path: Path, *, force: bool = True) -> None:
        """Write the document to ``path``, all of it or nothing; without ``force`` only where there is no file."""
        with atomic_file(path, force=force) as temporary:
            text = exact_json(self.to_document(), allow_nan=False, separators=(",", ":"))
            temporary.write_text(text + "\n", encoding="utf-8")


def threads_words(threads: int | None) -> str:
    """As in ``2 threads``."""
    return "all threads" if threads is None else f"{threads} thread{'s' * (threads != 1)}"


def read_report(path: Path) -> BenchmarkReport:
    """Read what :meth:`BenchmarkReport.write` or ``bench --json`` wrote.

    Raises:
        InputError: no such file, not a report, or one of a release newer than this.
    """
    name = str(path)
    try:
        document = json.loads(read_text_file(path, "the report"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it is not JSON ({error})") from error
    return parse_report(document, name)


def parse_report(document: object, name: str) -> BenchmarkReport:
    """The report in a decoded JSON document; raises as :func:`read_report`, naming the file ``name``."""
    version = document.pop("schema_version", None) if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it has no schema_version")
    if version > REPORT_SCHEMA_VERSION:
        raise InputError(
            f"{name!r} is a report of schema {version}, this release reads up to {REPORT_SCHEMA_VERSION}:"
            f" {upgrade_command()}"
        )
    try:
        report = BenchmarkReport.from_dict(document, "report")
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{name!r} is no report of `edgevision bench`: {error}") from error
    if not report.subjects:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it has no subjects")
    for subject in report.subjects:
        if not _fit_together(subject.samples):
            raise InputError(f"{name!r} is damaged: the samples of {subject.name!r} do not fit together")
    return report


# A picosecond, and eleven days: what lies beyond was not measured, and ratios of it are no numbers any more.
_SHORTEST_MS, _LONGEST_MS = 1e-9, 1e9


def _fit_together(samples: Samples) -> bool:
    count = len(samples.ms)
    lengths = count == len(samples.start_s) == sum(samples.rounds) and min(samples.rounds, default=0) > 0
    plausible = all(_SHORTEST_MS <= ms <= _LONGEST_MS for ms in samples.ms)
    return lengths and plausible and all(map(math.isfinite, samples.start_s))
