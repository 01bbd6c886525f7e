"""The verdict as text: one line for each form that was measured, and what was written."""

import math

from edgevision.core.printable import shown
from edgevision.exporters.quantization.report import NOT_JUDGED, Form, OperatorPrecision, QuantizationReport
from edgevision.runtime.benchmark.statistics import Estimate
from edgevision.runtime.benchmark.timing import Clock


def verdict_table(report: QuantizationReport) -> str:
    """Quality, loss, latency, speed-up over the first row and size of every form, and the verdict.

    A star stands before what is written.
    """
    report = shown(report)
    rows = [("", *form_columns(report)), *(("*" * form.written, *form_cells(form, report)) for form in report.forms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    a16w8 = sum(node.precision == OperatorPrecision.A16W8 for node in report.nodes)
    int8 = sum(node.precision == OperatorPrecision.INT8 for node in report.nodes) + a16w8
    finer = f", {a16w8} of them with 16-bit activations," if a16w8 else ""
    if report.metric == NOT_JUDGED:
        lines.append(f"nothing was judged or timed; {report.source}")
    else:
        lines.append(
            f"{int8} of {len(report.nodes)} operators compute in int8{finer} for {report.target};"
            f" judged by {report.metric}, loss at most {_budget(report)}; {report.source}{_timed(report)}"
        )
    lines += [
        *(f"note: {note}" for note in report.notes),
        f"verdict: {report.headline}: {report.verdict}",
    ]
    return "\n".join(lines)


def form_columns(report: QuantizationReport) -> tuple[str, ...]:
    """What :func:`form_cells` gives; where the loss is a negative SQNR, the SQNR itself says it all."""
    loss = () if report.metric == "sqnr" else (f"loss, {report.unit}",)
    judged = () if report.metric == NOT_JUDGED else (report.metric, *loss)
    took = "CPU ms (95 %)" if report.clock is Clock.CPU else "ms (95 %)"
    return ("form", "run in", *judged, took, "times as fast (95 %)", "MB")


def form_cells(form: Form, report: QuantizationReport) -> tuple[str, ...]:
    """One form's file and engine, quality, loss, latency, speed-up with its interval, and size."""
    speed = form.speedup
    judged: tuple[str, ...] = ()
    if report.metric != NOT_JUDGED:
        quality = form.figures[report.metric]
        shown = f"{quality:.2f}" if math.isfinite(quality) else "exact"
        judged = (shown,) if report.metric == "sqnr" else (shown, _loss(form))
    latency, ratio = "", "not measured"
    if form.latency_ms is not None:
        latency, ratio = _milliseconds(form.latency_ms), "1"
    if speed is not None:
        ratio = f"{speed.ratio:.2f} ({speed.low:.2f} to {speed.high:.2f})"
    return (form.name, form.engine, *judged, latency, ratio, f"{form.size_bytes / 1e6:.3f}")


def _loss(form: Form) -> str:
    """What was lost, and what it may be on other data."""
    return f"{form.loss:+.3g}" + ("" if not form.bound or not form.bound.reach else f" (to {form.at_most:+.3g})")


def _milliseconds(found: Estimate) -> str:
    interval = "" if found.low is None or found.high is None else f" ({found.low:.3g} to {found.high:.3g})"
    return f"{found.value:.3g}{interval}"


def _timed(report: QuantizationReport) -> str:
    """What the times hold for: of another size a form may be faster or slower beside the others."""
    if not report.timed_shapes:
        return ""
    return f"; timed on {' and '.join('x'.join(map(str, shape)) for shape in report.timed_shapes)}"


def _budget(report: QuantizationReport) -> str:
    return f"what leaves {-report.budget:g} dB" if report.metric == "sqnr" else f"{report.budget:g} {report.unit}"
