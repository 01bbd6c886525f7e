"""The verdict as text: one line for each form that was measured, and what was written."""

from edgevision.exporters.quantization.report import Form, QuantizationReport


def verdict_table(report: QuantizationReport) -> str:
    """Quality, loss, latency with its interval, speed-up and size of every form, and the verdict."""
    rows: list[tuple[str, ...]] = [("form", report.metric, "loss", "ms", "times fp32 (95 %)", "MB")]
    rows += [_row(form, report) for form in report.forms]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    int8 = sum(node.precision == "int8" for node in report.nodes)
    lines += [
        f"{int8} of {len(report.nodes)} operators compute in int8 for {report.target};"
        f" judged by {report.metric}, loss at most {_budget(report)}; {report.source}",
        *(f"note: {note}" for note in report.notes),
        f"verdict: {report.outcome}: {report.verdict}",
    ]
    return "\n".join(lines)


def loss_text(form: Form, report: QuantizationReport) -> str:
    """The loss with its unit; where it is a negative SQNR, nothing more is to be said than the SQNR itself."""
    return "" if report.metric == "sqnr" else f"{form.loss:+.3g} {report.unit}"


def _row(form: Form, report: QuantizationReport) -> tuple[str, ...]:
    speed = form.speedup
    latency = "" if speed is None else f"{speed.after_ms:.3g}"
    if form.name == "fp32":
        first = next((row.speedup for row in report.forms if row.speedup is not None), None)
        latency = "" if first is None else f"{first.before_ms:.3g}"
    ratio = "" if speed is None else f"{speed.ratio:.2f} ({speed.low:.2f} to {speed.high:.2f})"
    if speed is None and form.name != "fp32":
        ratio = "not measured"
    quality = form.figures[report.metric]
    return (form.name, f"{quality:.2f}", loss_text(form, report), latency, ratio, f"{form.size_bytes / 1e6:.3f}")


def _budget(report: QuantizationReport) -> str:
    return f"what leaves {-report.budget:g} dB" if report.metric == "sqnr" else f"{report.budget:g} {report.unit}"
