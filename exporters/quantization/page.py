"""The verdict as one self-contained page: the table, the candidates by quality and speed, and every operator."""

from collections.abc import Iterable
from html import escape
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from edgevision.core.html_page import html_table, write_html
from edgevision.core.printable import one_line, shown
from edgevision.exporters.quantization.report import CLEANED, QuantizationReport
from edgevision.exporters.quantization.table import form_cells, form_columns

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 360, 64, 44
_CHARACTER, _LINE = 8, 15
"""What a character of a label takes in width, and a line of them in height."""

_STYLE = """
tr.written td { font-weight: 600; } .verdict { font-size: 1.05rem; }
.tried { fill: var(--quiet); } .form { fill: var(--first); } .best { fill: var(--second); } .bar { fill: var(--first); }
.budget { stroke: var(--second); stroke-dasharray: 4 4; }
"""


def write_page(path: Path, model: str, report: QuantizationReport, *, force: bool = True) -> None:
    """Write the page to ``path``; it asks nothing of the network and follows the reader's light or dark mode."""
    report = shown(report)
    body = [
        f"<h1>{escape(one_line(model))}</h1>",
        f"<p class=verdict><b>{escape(report.headline)}</b>: {escape(report.verdict)}</p>",
        f"<p class=soft>{escape(_circumstances(report))}</p>",
        "<h2>Verdict</h2>",
        _forms(report),
        *(f"<p class=soft>{escape(one_line(note))}</p>" for note in report.notes),
        "<h2>Quality against speed</h2>",
        _plot(report),
        "<h2>Operators</h2>",
        _nodes(report),
    ]
    write_html(path, f"{model}: {report.outcome}", body, _STYLE, force=force)


def _circumstances(report: QuantizationReport) -> str:
    threads = f"{report.threads} thread{'s' * (report.threads > 1)}" if report.threads else "all cores"
    timed = f"timed on this machine, {threads}" if report.measured else "latency not measured: the device is not here"
    return f"Target {report.target}; {timed}; ranges by {report.ranges}; {report.source}; {report.seconds:.0f} s."


def _forms(report: QuantizationReport) -> str:
    rows = []
    for form in report.forms:
        name, *figures = form_cells(form, report)
        cells = f"<td>{escape(name)}</td>" + "".join(f"<td class=n>{escape(cell)}</td>" for cell in figures)
        rows.append(f"<tr{' class=written' * form.written}>{cells}</tr>")
    first, *others = form_columns(report)
    head = f"<th>{first}</th>" + "".join(f"<th class=n>{escape(name)}</th>" for name in others)
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def _plot(report: QuantizationReport) -> str:
    """Every candidate that was judged and timed: to the right faster, downwards worse.

    The search compared its candidates with the cleaned model, whose row says how fast that is beside the first.
    """
    cleaned = next((form.speedup.ratio for form in report.forms if form.name == CLEANED and form.speedup), 1.0)
    points = [
        (cleaned * trial.speedup.ratio, trial.quality.loss, "tried", trial.name)
        for trial in report.trials
        if trial.speedup is not None and trial.quality is not None
    ]
    points += [
        (form.speedup.ratio if form.speedup else 1.0, form.loss, "best" if form.written else "form", form.label)
        for form in report.forms
        if form.latency_ms is not None
    ]
    # Exact, or not a number: there is no place for it.
    points = [point for point in points if isfinite(point[1])]
    if len(points) < 2:
        return "<p class=soft>Nothing was timed.</p>"
    right, worst = max(p[0] for p in points) * 1.08, max(*(p[1] for p in points), report.budget)
    left, best = min(0.9, *(p[0] for p in points)) * 0.97, min(*(p[1] for p in points), report.budget)
    margin = 0.08 * (worst - best or 1)
    worst, best = worst + margin, best - margin

    def x(ratio: float) -> float:
        return _LEFT + (ratio - left) / (right - left) * (_WIDTH - _LEFT - 16)

    def y(loss: float) -> float:
        return 12 + (loss - best) / (worst - best) * (_HEIGHT - _BOTTOM - 12)

    base = _HEIGHT - _BOTTOM
    parts = [f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role=img aria-label='loss against speed-up'>"]
    parts.append(f"<line class=axis x1={_LEFT} y1={base} x2={_WIDTH - 16} y2={base} />")
    parts.append(f"<line class=axis x1={_LEFT} y1=12 x2={_LEFT} y2={base} />")
    for index in range(5):
        ratio, loss = left + (right - left) * index / 4, best + (worst - best) * index / 4
        parts.append(f"<text x={x(ratio):.1f} y={base + 18} text-anchor=middle>{ratio:.2f}</text>")
        depth = -loss if report.metric == "sqnr" else loss
        parts.append(f"<text x={_LEFT - 8} y={y(loss) + 4:.1f} text-anchor=end>{depth:.3g}</text>")
    what = "SQNR, dB" if report.metric == "sqnr" else f"loss, {report.unit}"
    faster = f"times as fast as {report.forms[0].name}"
    parts.append(f"<text x={(_LEFT + _WIDTH) / 2} y={_HEIGHT - 6} text-anchor=middle>{escape(faster)}</text>")
    parts.append(f"<text x=14 y={base / 2} transform='rotate(-90 14 {base / 2})' text-anchor=middle>{what}</text>")
    limit = y(report.budget)
    parts.append(f"<line class=budget x1={_LEFT} y1={limit:.1f} x2={_WIDTH - 16} y2={limit:.1f} />")
    parts.append(f"<text x={_WIDTH - 18} y={limit - 5:.1f} text-anchor=end>budget</text>")
    labels: list[_Label] = []
    for ratio, loss, kind, name in points:
        radius = 3 if kind == "tried" else 5
        place = f"cx={x(ratio):.1f} cy={y(loss):.1f} r={radius}"
        parts.append(f"<circle class={kind} {place}><title>{escape(name)}</title></circle>")
        if kind != "tried":
            label = _beside(_Label(x(ratio) + 8, y(loss) + 4, _CHARACTER * len(name)), labels, _HEIGHT / 2)
            labels.append(label)
            parts.append(f"<text x={label.x:.1f} y={label.y:.1f}>{escape(name)}</text>")
    return "".join([*parts, "</svg>"])


class _Label(NamedTuple):
    """Where a text of the plot begins, on its base line, and how wide it is."""

    x: float
    y: float
    width: float

    def covers(self, other: "_Label") -> bool:
        beside = self.x + self.width < other.x or other.x + other.width < self.x
        return round(abs(self.y - other.y)) < _LINE and not beside


def _beside(label: _Label, labels: Iterable[_Label], middle: float) -> _Label:
    """``label``, moved by lines towards the ``middle`` height until it covers none of ``labels``."""
    step = _LINE if label.y < middle else -_LINE
    while any(label.covers(other) for other in labels):
        label = label._replace(y=label.y + step)
    return label


def _nodes(report: QuantizationReport) -> str:
    known = [node.sqnr_db for node in report.nodes if node.sqnr_db is not None]
    highest = max([1.0, *known])
    rows = []
    for node in report.nodes:
        bar = ""
        if node.sqnr_db is not None:
            width = max(1.0, 120 * node.sqnr_db / highest)
            bar = "<svg viewBox='0 0 190 14' style='width:190px'>"
            bar += f"<rect class=bar width={width:.0f} height=10 y=2 rx=2 />"
            bar += f"<text x={width + 6:.0f} y=11>{node.sqnr_db:.1f} dB</text></svg>"
        rows.append((*map(escape, (node.name, node.operator, node.precision, node.why)), bar))
    return html_table(("operator", "type", "precision", "why", "SQNR if it alone is int8"), rows)
