"""A measurement as one page: subjects side by side, their distributions and time series, operators, findings."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np

from edgevision.core.html_page import html_table, share_bar, write_html
from edgevision.core.printable import shown
from edgevision.runtime.benchmark.charts import TimeSeries, histogram, side_by_side
from edgevision.runtime.benchmark.operators import OperatorProfile
from edgevision.runtime.benchmark.page_parts import (
    OVER_TIME_NOTE,
    PAGE_STYLE,
    facts_list,
    findings_list,
    over_time,
)
from edgevision.runtime.benchmark.report import BenchmarkReport, SubjectReport
from edgevision.runtime.benchmark.statistics import Ratio
from edgevision.runtime.benchmark.table import (
    circumstances,
    clock_words,
    interval_words,
    ratio_verdict,
    subject_lines,
)


def write_page(path: Path, report: BenchmarkReport, *, force: bool = True) -> None:
    """Write the page to ``path``."""
    report = shown(report)
    names = sorted({subject.name for subject in report.subjects})
    title = f"Latency of {', '.join(names)}"
    body = [f"<h1>{escape(title)}</h1>", facts_list(circumstances(report)), findings_list(report.board)]
    body += ["<h2>Figures</h2>", _figures(report.subjects)]
    body.append(
        "<p class=soft>Under a median and under a ratio stand their 95 % intervals. Ratios compare means of interleaved"
        f" blocks, by {clock_words(report.subjects[0].samples.clock)}.</p>"
    )
    if len(report.subjects) > 1:
        rows = [(s.label, s.latency.p50_ms, s.latency.p90_ms.value, s.latency.p99_ms.value) for s in report.subjects]
        body += ["<h2>Side by side</h2>", side_by_side(rows)]
        body.append(
            "<p class=soft>Bars are medians, the line on them the 95 % interval; ticks are p90 and p99, where they are"
            " not far beyond.</p>"
        )
    body += ["<h2>Over time</h2>", _over_time(report)]
    body.append(OVER_TIME_NOTE)
    for subject in report.subjects:
        body += [f"<h2>{escape(subject.label)}</h2>", facts_list(subject_lines(report, subject))]
        body.append(histogram(np.array(subject.samples.ms)))
        if subject.operators is not None:
            body += ["<h3>Operators</h3>", _operators(subject.operators)]
    write_html(path, title, body, PAGE_STYLE, force=force)


def _figures(subjects: Iterable[SubjectReport]) -> str:
    # A telephone shows the first, p50, p99 and what follows cv: the others stand below, with each subject.
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
    return f"<div class=figures>{html_table(head, rows, numbers=range(1, len(head)))}</div>"


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.value:.3f}" + "".join(f"<div class=soft>{words}</div>" for words in ratio_verdict(ratio))


def _over_time(report: BenchmarkReport) -> str:
    own = [TimeSeries(s.label, "ms", s.samples.start_s, s.samples.ms, is_samples=True) for s in report.subjects]
    return over_time(own, report.board)


def _operators(profile: OperatorProfile) -> str:
    head = ("share", "µs", "operator", "name", "GFLOP/s", "of the peak", "GB/s", "limited by")
    slowest = sorted(profile.operators, key=lambda operator: -operator.microseconds)
    rows = [
        (
            share_bar(f"{100 * o.share:.1f} %", o.share / (slowest[0].share or 1.0)),
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
