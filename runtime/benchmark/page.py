"""A measurement as one page: subjects side by side, their distributions and time series, operators, findings."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np

from edgevision.core.html_page import html_table, write_html
from edgevision.core.printable import shown
from edgevision.runtime.benchmark.charts import TimeSeries, histogram, share_bar, side_by_side, time_series
from edgevision.runtime.benchmark.operators import OperatorProfile
from edgevision.runtime.benchmark.report import BenchmarkReport, SubjectReport
from edgevision.runtime.benchmark.statistics import Ratio
from edgevision.runtime.benchmark.table import circumstances, interval_words, ratio_verdict, subject_lines

_STYLE = """
.bar { fill: var(--first); } .far { fill: var(--second); } .doubtful { fill: var(--mark); }
.strong { fill: var(--ink); }
.reach { stroke: var(--first); opacity: .45; stroke-width: 1.5; } .series { stroke: var(--second); fill: none;
  stroke-width: 2; } .dots { stroke: var(--first); stroke-width: 3; stroke-linecap: round; }
.whisker { stroke: var(--ink); stroke-width: 2; } .tick { stroke: var(--second); stroke-width: 2; }
td.n { white-space: nowrap; }
.warn { color: var(--warn); } dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; } dt {
  color: var(--soft); } dd { margin: 0; } ul { padding-left: 1.2rem; }
"""


def write_page(path: Path, report: BenchmarkReport, *, force: bool = True) -> None:
    """Write the page to ``path``."""
    report = shown(report)
    names = sorted({subject.name for subject in report.subjects})
    title = f"Latency of {', '.join(names)}"
    body = [f"<h1>{escape(title)}</h1>", _facts(circumstances(report)), _findings(report)]
    body += ["<h2>Figures</h2>", _figures(report.subjects)]
    body.append("<p class=soft>Under a median and under a ratio of medians stand their 95 % intervals.</p>")
    if len(report.subjects) > 1:
        rows = [(s.label, s.latency.p50_ms, s.latency.p90_ms.value, s.latency.p99_ms.value) for s in report.subjects]
        body += ["<h2>Side by side</h2>", side_by_side(rows)]
        body.append(
            "<p class=soft>Bars are medians, the line on them the 95 % interval; ticks are p90 and p99, where they are"
            " not far beyond.</p>"
        )
    body += ["<h2>Over time</h2>", _over_time(report)]
    body.append(
        "<p class=soft>Dots are medians, the lines behind them reach from the fastest to the slowest sample of that"
        " moment. Every sample is in it.</p>"
    )
    for subject in report.subjects:
        body += [f"<h2>{escape(subject.label)}</h2>", _facts(subject_lines(report, subject))]
        body.append(histogram(np.array(subject.samples.ms)))
        if subject.operators is not None:
            body += ["<h3>Operators</h3>", _operators(subject.operators)]
    write_html(path, title, body, _STYLE, force=force)


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"


def _findings(report: BenchmarkReport) -> str:
    if not report.board.findings:
        return "<p>Nothing was seen of the board that makes the figures doubtful.</p>"
    items = "".join(f"<li><b>{escape(f.kind)}</b>: {escape(f.message)}</li>" for f in report.board.findings)
    return f"<p class=warn><b>This run is unreliable.</b> Its figures may not be the board's own:</p><ul>{items}</ul>"


def _figures(subjects: Iterable[SubjectReport]) -> str:
    head = ("", "p50 ms", "p90", "p95", "p99", "max", "mean", "cv", "pictures/s", "times as fast as the first")
    rows = []
    for s in subjects:
        figures = s.latency
        rest = (figures.p90_ms.value, figures.p95_ms.value, figures.p99_ms.value, figures.max_ms, figures.mean_ms.value)
        rows.append(
            (
                escape(s.label),
                f"<b>{figures.p50_ms.value:.3f}</b><div class=soft>{interval_words(figures.p50_ms)}</div>",
                *(f"{value:.3f}" for value in rest),
                f"{100 * figures.cv:.1f} %",
                f"{s.throughput:.1f}",
                _ratio(s.speedup) if s.speedup else "1",
            )
        )
    return html_table(head, rows, numbers=range(1, len(head)))


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.value:.3f}" + "".join(f"<div class=soft>{words}</div>" for words in ratio_verdict(ratio))


def _over_time(report: BenchmarkReport) -> str:
    panels = [TimeSeries(s.label, "ms", s.samples.start_s, s.samples.ms, is_samples=True) for s in report.subjects]
    readings = report.board.readings
    hottest = [(r.time_s, max(r.temperatures.values())) for r in readings if r.temperatures]
    clock = [(r.time_s, max(r.cpu_mhz)) for r in readings if r.cpu_mhz]
    busy = [(r.time_s, 100 * r.cpu_busy) for r in readings if r.cpu_busy is not None]
    power = [(r.time_s, r.total_power_w) for r in readings if r.total_power_w is not None]
    for name, unit, points, scale in (
        ("hottest sensor", "°C", hottest, None),
        ("fastest core", "MHz", clock, None),
        ("CPU in use by all programs", "%", busy, (0.0, 100.0)),
        ("power", "W", power, None),
    ):
        if points:
            times, values = zip(*points, strict=True)
            panels.append(TimeSeries(name, unit, times, values, scale=scale))
    last = max((r.time_s for r in readings), default=0.0)
    return time_series(panels, [(f.start_s, last if f.end_s is None else f.end_s) for f in report.board.findings])


def _operators(profile: OperatorProfile) -> str:
    head = ("share", "µs", "operator", "name", "GFLOP/s", "of the peak", "GB/s", "limited by")
    slowest = sorted(profile.operators, key=lambda operator: -operator.microseconds)
    rows = [
        (
            share_bar(o.share, slowest[0].share or 1.0),
            f"{o.microseconds:.0f}",
            escape(o.operator),
            escape(o.name),
            f"{o.gflops:.1f}" if o.gflops else "",
            f"{100 * o.peak_share:.0f} %" if o.peak_share else "",
            "" if o.gb_per_s is None else f"{o.gb_per_s:.1f}",
            escape(o.bound or ""),
        )
        for o in slowest
    ]
    moving = "" if profile.peak.gb_per_s is None else f" and copies {profile.peak.gb_per_s:.1f} GB/s"
    note = f"This machine computes {profile.peak.gflops:.1f} GFLOP/s in fp32{moving}, measured beside it."
    return html_table(head, rows, numbers=(1, 4, 5, 6)) + f"<p class=soft>{note}</p>"
