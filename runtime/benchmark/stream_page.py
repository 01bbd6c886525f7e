"""A measurement with a stream's frames as one page: where the time goes, and all of it over time."""

from html import escape
from pathlib import Path

from edgevision.core.html_page import html_table, share_bar, write_html
from edgevision.core.printable import shown
from edgevision.runtime.benchmark.charts import TimeSeries, histogram
from edgevision.runtime.benchmark.page_parts import (
    OVER_TIME_NOTE,
    PAGE_STYLE,
    facts_list,
    findings_list,
    over_time,
)
from edgevision.runtime.benchmark.stream_report import (
    STAGES,
    StreamReport,
    memory_readings,
    rates,
    stage_facts,
    stream_facts,
)


def write_stream_page(path: Path, report: StreamReport, *, force: bool = True) -> None:
    """Write the page to ``path``."""
    report = shown(report)
    title = f"Frames of {report.source} through {report.name}"
    body = [f"<h1>{escape(title)}</h1>", facts_list(stream_facts(report)), findings_list(report.board)]
    body += ["<h2>From arrival to answer</h2>", histogram(report.samples.latency_ms)]
    body += ["<h2>Stages</h2>", _stages(report)]
    body.append(
        "<p class=soft>A frame waits from when it is decoded until the model is free. Encoding goes on beside the next"
        " answer, and is no part of the latency.</p>"
    )
    body += ["<h2>Over time</h2>", over_time(_panels(report), report.board), OVER_TIME_NOTE]
    write_html(path, title, body, PAGE_STYLE, force=force)


def _stages(report: StreamReport) -> str:
    medians = {name: times.p50_ms.value for name, times in report.stages.items()}
    whole = sum(medians[name] for name in STAGES) or 1.0
    longest = max(medians.values()) / whole or 1.0
    rows = [
        (escape(name), median, interval, p99, _share(medians[name] / whole, longest) if name in STAGES else "")
        for name, median, interval, p99 in stage_facts(report)
    ]
    return html_table(("stage", "p50 ms", "95 %", "p99 ms", "share"), rows, numbers=(1, 2, 3))


def _share(share: float, longest: float) -> str:
    return share_bar(f"{100 * share:.1f} %", share / longest)


def _panels(report: StreamReport) -> list[TimeSeries]:
    samples = report.samples
    panels = [TimeSeries("arrival to answer", "ms", samples.arrived_s, samples.latency_ms.tolist(), is_samples=True)]
    panels += [
        TimeSeries(name, "ms", samples.arrived_s, values, is_samples=True) for name, values in samples.stages_ms.items()
    ]
    over_run = [
        ("answered", "frames a second", [(time, answered) for time, answered, _ in rates(report)]),
        ("dropped", "frames a second", [(time, dropped) for time, _, dropped in rates(report)]),
        ("memory of the process", "MB", memory_readings(report.moments)),
    ]
    for name, unit, points in over_run:
        if points:
            times, values = zip(*points, strict=True)
            panels.append(TimeSeries(name, unit, times, values))
    return panels
