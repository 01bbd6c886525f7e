"""A comparison of two models as one page: the graph, and every layer's part in what lies between them."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from edgevision.core.html_page import write_html
from edgevision.core.printable import shown
from edgevision.exporters.comparison.diff import Diff, DiffReport
from edgevision.exporters.comparison.diff_text import diff_summary
from edgevision.exporters.comparison.graph_drawing import GRAPH_SCRIPT, GRAPH_STYLE, graph_view
from edgevision.exporters.comparison.layer_figures import (
    LAYER_STYLE,
    LayerFacts,
    decibels,
    graph_nodes,
    legend,
    ranking,
)


def write_page(path: Path, found: Diff, *, force: bool = True) -> None:
    """Write the page to ``path``; it asks nothing of the network."""
    report = shown(found.report)
    title = f"{report.first} and {report.second}"
    parity = report.outputs
    outputs = "; ".join(f"{output.name} {decibels(output)}" for output in parity.outputs)
    answers = "" if parity.agreement is None else f", the same answer for {parity.agreement:.2f} % of them"
    nodes = graph_nodes(
        found.graph,
        found.report.layers,
        {name: LayerFacts(counts=counts) for name, counts in found.counts.items()},
    )
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>On {parity.samples} inputs ({escape(parity.source)}) the outputs have an SQNR of"
        f" {escape(outputs)}{answers}.</p>",
        *(f"<p>{escape(sentence)}.</p>" for sentence in _sentences(report)),
        f"<h2>Graph of {escape(report.second)}</h2>",
        legend(timed=False),
        graph_view(nodes),
        "<h2>What adds most</h2>",
        "<p class=soft>SQNR of a layer by itself, given what the layers of the first model give, and with all that it"
        " inherits; of its values those are clipped that its int8 does not reach.</p>",
        ranking(nodes, found.report.layers),
    ]
    write_html(path, title, body, GRAPH_STYLE + LAYER_STYLE, GRAPH_SCRIPT, force=force)


def _sentences(report: DiffReport) -> Iterator[str]:
    """The summary; all but the first, which begins with the name of a file, with a capital letter."""
    first, *others = diff_summary(report)
    yield first
    yield from (sentence[0].upper() + sentence[1:] for sentence in others)
