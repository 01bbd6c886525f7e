"""The verdict as one self-contained page: the table, why int8 is as it is layer by layer, and all candidates."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from edgevision.core.html_page import html_table, share_bar, write_html
from edgevision.core.printable import one_line, shown
from edgevision.exporters.comparison.graph_drawing import GRAPH_SCRIPT, GRAPH_STYLE, graph_view
from edgevision.exporters.comparison.layer_differences import first_parting, ranked
from edgevision.exporters.comparison.layer_figures import (
    LAYER_STYLE,
    LayerFacts,
    decibels,
    graph_nodes,
    legend,
    ranking,
)
from edgevision.exporters.quantization.candidate_charts import (
    CANDIDATE_STYLE,
    path_of_search,
    quality_against_speed,
)
from edgevision.exporters.quantization.engine_settings import form_label
from edgevision.exporters.quantization.example_figures import EXAMPLE_STYLE, examples_section
from edgevision.exporters.quantization.inspection import Inspection
from edgevision.exporters.quantization.report import QuantizationReport
from edgevision.exporters.quantization.table import form_cells, form_columns

_STYLE = """
tr.written td { font-weight: 600; } .verdict { font-size: 1.05rem; }
@media (max-width: 480px) { .ms .soft { display: none; } .forms td.n { white-space: normal; } }
summary { cursor: pointer; } .name { overflow-wrap: anywhere; }
"""


def write_page(
    path: Path, model: str, report: QuantizationReport, inspection: Inspection | None = None, *, force: bool = True
) -> None:
    """Write the page to ``path``; it asks nothing of the network and follows the reader's light or dark mode."""
    report = shown(report)
    body = [
        f"<h1>{escape(one_line(model))}</h1>",
        f"<p class=verdict><b>{escape(report.headline)}</b>: {escape(report.verdict)}</p>",
        f"<p class=soft>{escape(_circumstances(report))}</p>",
        "<h2>Verdict</h2>",
        _forms(report),
        *(f"<p class=soft>{escape(one_line(note))}</p>" for note in report.notes),
    ]
    if inspection is not None:
        if inspection.left_out:
            body.append(f"<p class=soft>not on this page for want of time: {', '.join(inspection.left_out)}</p>")
        body += examples_section(inspection.examples, inspection.form)
        body += _layers(report, inspection)
    body += ["<h2>Quality against speed</h2>", quality_against_speed(report)]
    if way := path_of_search(report):
        body += ["<h2>The path of the search</h2>", way, _trials(report)]
    if report.nodes:
        body += ["<h2>Operators</h2>", _nodes(report)]
    style = GRAPH_STYLE + LAYER_STYLE + CANDIDATE_STYLE + EXAMPLE_STYLE + _STYLE
    script = GRAPH_SCRIPT if inspection is not None else ""
    write_html(path, f"{model}: {report.outcome}", body, style, script, force=force)


def _circumstances(report: QuantizationReport) -> str:
    threads = f"{report.threads} thread{'s' * (report.threads > 1)}" if report.threads else "all cores"
    timed = f"timed on this machine, {threads}" if report.measured else "latency not measured: the device is not here"
    return f"Target {report.target}; {timed}; ranges by {report.ranges}; {report.source}; {report.seconds:.0f} s."


def _forms(report: QuantizationReport) -> str:
    rows = []
    for form in report.forms:
        name, engine, *figures = form_cells(form, report)
        first = _two_lines(escape(name), escape(engine))
        cells = f"<td>{first}</td>" + "".join(
            f"<td class='{kind}'>{_stacked(cell)}</td>" for kind, cell in zip(_kinds(figures), figures, strict=True)
        )
        rows.append(f"<tr{' class=written' * form.written}>{cells}</tr>")
    first, _, *others = form_columns(report)
    head = f"<th>{first}</th>" + "".join(
        f"<th class='{kind}'>{_stacked(name)}</th>" for kind, name in zip(_kinds(others), others, strict=True)
    )
    return f"<div class='scroll forms'><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def _kinds(figures: Sequence[str]) -> list[str]:
    """Classes of the cells of a row; milliseconds are the last but two."""
    return ["n"] * (len(figures) - 3) + ["n ms", "n", "n"]


def _layers(report: QuantizationReport, inspection: Inspection) -> list[str]:
    """The graph, and what adds most to the noise of the form that was looked at."""
    alone = {node.name: node for node in report.nodes}
    written = any(form.written and form.name == inspection.form for form in report.forms)
    differences = inspection.layers.layers
    facts = {}
    for layer in inspection.graph.layers:
        rows: list[tuple[str, str]] = []
        # Names in the report are shown on one line already.
        node = alone.get(one_line(layer.name))
        if node is not None and written:
            rows.append(("why", node.why))
        if node is not None and node.sqnr_db is not None:
            rows.append(("alone in int8", f"leaves {node.sqnr_db:.1f} dB in the output"))
        facts[layer.name] = LayerFacts(rows, inspection.layers.counts.get(layer.name), inspection.times.get(layer.name))
    nodes = graph_nodes(inspection.graph, differences, facts)
    sentences = [f"The graph is that of {inspection.form}{'' if written else ', which was not written'}."]
    parting = first_parting(differences)
    if parting is not None:
        most = ranked(differences)[0]
        sentences.append(
            f"It parts from the float model at {parting.name}, with an SQNR of {decibels(parting.output)};"
            f" most is added by {most.name}, {decibels(most.own)} by itself."
        )
    if inspection.times:
        sentences.append(_slower(inspection))
    return [
        "<h2>Layer by layer</h2>",
        f"<p>{escape(' '.join(map(one_line, filter(None, sentences))))}</p>",
        legend(timed=bool(inspection.times)),
        graph_view(nodes),
        "<h2>What adds most</h2>",
        "<p class=soft>SQNR of a layer by itself, given what the layers of the float model give, and with all that it"
        " inherits; of its values those are clipped that its int8 does not reach.</p>",
        ranking(nodes, differences),
    ]


def _slower(inspection: Inspection) -> str:
    """The layers that take longer than before, by most."""
    changes = [
        (time.after[0] - time.before[0], name)
        for name, time in inspection.times.items()
        if time.before is not None and time.after is not None
    ]
    worst = [f"{name} (+{more:.0f} µs)" for more, name in sorted(changes, reverse=True)[:3] if more >= 1]
    return f"Slower than in float are {', '.join(worst)}." if worst else ""


def _trials(report: QuantizationReport) -> str:
    rows = [
        (
            str(number),
            escape(form_label(trial.name, trial.engine)),
            str(trial.computed),
            trial.crash or "" if trial.quality is None else f"{trial.quality.at_most:+.3g}",
            "" if trial.speedup is None else f"{trial.speedup.ratio:.2f}",
        )
        for number, trial in enumerate(report.trials, 1)
    ]
    head = ("", "candidate", "int8 parts", f"loss at most, {escape(report.unit)}", "times as fast as cleaned")
    table = html_table(head, rows, numbers=(0, 2, 3, 4))
    return f"<details><summary>All {len(rows)} candidates</summary>{table}</details>"


def _nodes(report: QuantizationReport) -> str:
    known = [node.sqnr_db for node in report.nodes if node.sqnr_db is not None]
    highest = max([1.0, *known])
    rows = []
    for node in report.nodes:
        name, kind, precision, why = map(escape, (node.name, node.operator, node.precision, node.why))
        cells = [_two_lines(f"<span class=name>{name}</span>", kind), _two_lines(precision, why)]
        if known:
            drawn = ""
            if node.sqnr_db is not None:
                drawn = share_bar(f"{node.sqnr_db:.1f} dB", node.sqnr_db / highest)
            cells.append(drawn)
        rows.append(cells)
    head = ("operator", "precision", *(["SQNR if it alone is int8"] if known else []))
    return f"<details><summary>All {len(rows)} operators</summary>{html_table(head, rows)}</details>"


def _stacked(cell: str) -> str:
    """The interval under its figure, which is narrower."""
    figure, _, interval = cell.partition(" (")
    return _two_lines(escape(figure), escape(f"({interval}") if interval else "")


def _two_lines(first: str, second: str) -> str:
    return f"{first}<div class=soft>{second}</div>" if second else first
