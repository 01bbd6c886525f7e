"""What a measurement with a stream's frames found, and how it is said."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from edgevision.core.printable import shown
from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.report import Latency, MeasuredModel, MeasuredRun, threads_words
from edgevision.runtime.benchmark.statistics import Estimate, Floats, percentile
from edgevision.runtime.benchmark.table import (
    aligned,
    circumstances,
    columns,
    interval_words,
    ms_words,
    unreliable_lines,
)
from edgevision.runtime.benchmark.timing import WarmUp

STAGES = ("decode", "wait", "preprocess", "infer", "postprocess")
"""The way of a frame from its arrival to the answer, in order; ``encode`` comes behind it."""

_FEWEST_MOMENTS = 10


@record
class FrameSamples(Record):
    """Every frame that was answered, in order.

    ``number`` is the source's own, ``arrived_s`` in seconds of the telemetry's time; ``stages_ms`` has a list for each
    of the stages, and ``encode`` where answers were encoded.
    """

    number: tuple[int, ...]
    arrived_s: tuple[float, ...]
    stages_ms: Mapping[str, tuple[float, ...]]

    @property
    def latency_ms(self) -> Floats:
        """From the arrival to the answer, float64 (frames,)."""
        stages = np.array([self.stages_ms[stage] for stage in STAGES], np.float64)
        latency: Floats = stages.sum(axis=0)
        return latency

    def rows(self) -> list[tuple[Any, ...]]:
        """A head and a row for each frame, as for CSV."""
        head = ("frame", "arrived_s", "latency_ms", *(f"{name}_ms" for name in self.stages_ms))
        latencies = self.latency_ms.round(6).tolist()
        return [head, *zip(self.number, self.arrived_s, latencies, *self.stages_ms.values(), strict=True)]


@record
class StageTimes(Record):
    """What frames spent in one stage, in ms."""

    p50_ms: Estimate
    p99_ms: Estimate


@record
class Moment(Record):
    """How far it was at a time of the telemetry: frames answered and dropped so far, and what the process holds."""

    time_s: float
    frames: int
    dropped: int
    resident_mb: float | None


@record
class StreamReport(MeasuredModel, MeasuredRun):
    """One model on the frames of one source.

    ``source_fps`` is how many frames a second came, ``fps`` how many were answered; ``dropped`` gave way to newer ones.
    ``breaks`` is how often a live source was gone, ``gone_s`` for how long. ``memory_slope`` is in MB a minute, behind
    the first tenth of the run, by least squares; ``None`` where it was too short.
    """

    kind: str = "stream"
    source: str
    live: bool
    size: tuple[int, int]
    warmup: WarmUp
    seconds: float
    frames: int
    dropped: int
    fps: float
    source_fps: float
    breaks: int
    gone_s: float
    error: str | None = None
    latency: Latency
    stages: Mapping[str, StageTimes]
    memory_slope: float | None
    moments: tuple[Moment, ...]
    samples: FrameSamples


def stage_times(samples: FrameSamples) -> dict[str, StageTimes]:
    """The figures of each stage."""
    return {
        name: StageTimes(p50_ms=percentile(values, 0.5), p99_ms=percentile(values, 0.99))
        for name, values in samples.stages_ms.items()
    }


def memory_readings(moments: Sequence[Moment]) -> list[tuple[float, float]]:
    """Time and resident MB, where the system told."""
    return [(one.time_s, one.resident_mb) for one in moments if one.resident_mb is not None]


def memory_slope(moments: Sequence[Moment]) -> float | None:
    """MB a minute, see :class:`StreamReport`."""
    known = memory_readings(moments)
    known = known[len(known) // 10 :]
    if len(known) < _FEWEST_MOMENTS:
        return None
    times, sizes = np.array(known).T
    return 60 * float(np.polyfit(times - times[0], sizes, 1)[0])


def stream_facts(report: StreamReport) -> list[tuple[str, str]]:
    """Everything but the figures of the stages, as name and words."""
    figures = report.latency
    width, height = report.size
    rows = [
        ("model", f"{report.name}{f', {report.precision}' if report.precision else ''}"),
        ("ran on", f"{report.device} ({report.provider}), {report.engine}, {threads_words(report.threads)}"),
        *circumstances(report),
        ("source", f"{report.source}, {width}x{height}, {report.source_fps:.1f} frames a second came"),
        ("answered", f"{report.frames} frames in {report.seconds:.1f} s, {report.fps:.1f} a second"),
        ("dropped", _dropped(report)),
        ("latency", f"from arrival to answer p50 {ms_words(figures.p50_ms)}"),
        ("", f"p90 {ms_words(figures.p90_ms)}   p99 {ms_words(figures.p99_ms)}"),
        ("", f"mean {ms_words(figures.mean_ms)}, from {figures.min_ms:.3f} to {figures.max_ms:.3f} ms"),
        ("memory", _memory(report)),
    ]
    if report.breaks:
        rows.append(("broke off", f"{report.breaks} times, away for {report.gone_s:.1f} s"))
    return [*rows, ("ended", report.error)] if report.error is not None else rows


def stage_facts(report: StreamReport) -> list[tuple[str, str, str, str]]:
    """Stage, median, its interval and the 99th percentile of each, in the order in which a frame meets them."""
    return [
        (name, f"{times.p50_ms.value:.3f}", interval_words(times.p50_ms), f"{times.p99_ms.value:.3f}")
        for name, times in report.stages.items()
    ]


def rates(report: StreamReport) -> list[tuple[float, float, float]]:
    """Time, frames answered a second and frames dropped a second, between each two moments."""
    return [
        (later.time_s, (later.frames - earlier.frames) / span, (later.dropped - earlier.dropped) / span)
        for earlier, later in pairwise(report.moments)
        if (span := later.time_s - earlier.time_s) > 0
    ]


def stream_text(report: StreamReport) -> str:
    """The report for a terminal."""
    report = shown(report)
    stages = columns([("stage", "p50 ms", "95 %", "p99 ms"), *stage_facts(report)])
    return "\n".join([*aligned(stream_facts(report)), "", *stages, *unreliable_lines(report)])


def _dropped(report: StreamReport) -> str:
    if not report.live:
        return "none: every frame of a file is done in order, so that its wait is that of the queue"
    share = report.dropped / max(1, report.dropped + report.frames)
    return f"{report.dropped} gave way to newer ones, {100 * share:.1f} % of what came"


def _memory(report: StreamReport) -> str:
    known = [size for _, size in memory_readings(report.moments)]
    if not known:
        return "unknown"
    slope = "too short for a slope" if report.memory_slope is None else f"{report.memory_slope:+.2f} MB a minute"
    return f"{known[0]:.0f} to {known[-1]:.0f} MB, the whole process; {slope}"
