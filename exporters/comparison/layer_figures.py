"""What is shown of compared layers: as the nodes of a graph, as a list of those that add most, and one by one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.drawing import WIDTH, bar, chart, line, round_values, short, text
from edgevision.core.html_page import html_table
from edgevision.core.printable import one_line
from edgevision.exporters.comparison.graph_drawing import GraphNode, node_numbers
from edgevision.exporters.comparison.layer_differences import SAME_DB, LayerDifference, ranked
from edgevision.exporters.comparison.layer_graph import Layer, LayerGraph
from edgevision.exporters.parity import TensorParity

LAYER_STYLE = """
td.n { white-space: nowrap; } td a { color: var(--first); overflow-wrap: anywhere; }
.values { fill: var(--quiet); } .reach { fill: var(--first); opacity: .14; } .limit { stroke: var(--first);
  stroke-width: 1.5; }
"""

_KINDS = {"int8": "int8", "int8, 16-bit activations": "int8", "float, weights stored in int8": "stored"}
# From this SQNR down a layer that adds it by itself is marked in full.
_WORST_DB = 10.0
_LISTED = 30


@dataclass(frozen=True)
class LayerTime:
    """Microseconds and the share of all, 0..1, in one model and the other; ``None`` where it is not told apart."""

    before: tuple[float, float] | None
    after: tuple[float, float] | None


@dataclass(frozen=True)
class LayerFacts:
    """What is known of a layer beside its difference: rows of a name and a value, counts of its values, and its time.

    ``counts`` are in equal bins from the difference's ``low`` to ``high``.
    """

    rows: Sequence[tuple[str, str]] = ()
    counts: NDArray[Any] | None = None
    time: LayerTime | None = None


def graph_nodes(
    graph: LayerGraph, differences: Iterable[LayerDifference], facts: Mapping[str, LayerFacts]
) -> list[GraphNode]:
    """A node for each layer of ``graph``, which the ``differences`` are of, and for its inputs and outputs.

    ``facts`` are by the name of the layer.
    """
    known = {difference.name: difference for difference in differences}
    nodes = [GraphNode(spec.name, spec.name, "input", "end", (), detail=_shape(spec.shape)) for spec in graph.inputs]
    for layer in graph.layers:
        fact = facts.get(layer.name, LayerFacts())
        difference = known.get(layer.name)
        after = fact.time.after if fact.time is not None else None
        nodes.append(
            GraphNode(
                key=layer.output,
                name=layer.name,
                operator=layer.operator,
                kind=_KINDS.get(layer.precision, "float") if difference is not None else "alone",
                inputs=layer.inputs,
                detail=_detail(layer, difference, fact),
                figure="" if difference is None else decibels(difference.output),
                adds=0.0 if difference is None else _adds(difference.own),
                share=after[1] if after is not None else 0.0,
            )
        )
    for index, output in enumerate(graph.outputs):
        nodes.append(GraphNode(f"\0output {index}", output, "output", "end", (output,)))
    return nodes


def legend(*, timed: bool) -> str:
    """What the boxes mean."""
    time = "; <span class='key time'></span> its share of the time" if timed else ""
    return (
        "<p class=soft><span class='key int8'></span> int8, <span class='key stored'></span> weights stored in int8,"
        " <span class=key></span> float; the number is the SQNR of its output, with all that it inherits;"
        f" <span class='key adds'></span> what it adds by itself{time}.</p>"
    )


def ranking(nodes: Sequence[GraphNode], layers: Iterable[LayerDifference]) -> str:
    """Those that add most by themselves, as a table that leads into the graph."""
    numbers = {node.name: number for node, number in zip(nodes, node_numbers(nodes).values(), strict=True)}
    order = ranked(layers)
    rows = []
    for layer in order[:_LISTED]:
        name, number = escape(one_line(layer.name)), numbers[layer.name]
        what = escape(f"{one_line(layer.operator)}, {layer.precision}")
        rows.append(
            (
                decibels(layer.own),
                decibels(layer.output),
                f"<a href='#d{number}' data-show='{number}'>{name}</a><div class=soft>{what}</div>",
                f"{100 * layer.clipped:.2g} %" if layer.limits is not None else "",
            )
        )
    more = f"<p class=soft>And {len(order) - _LISTED} that add less.</p>" if len(order) > _LISTED else ""
    return html_table(("by itself", "in all", "layer", "clipped"), rows, numbers=(0, 1, 3)) + more


def decibels(parity: TensorParity) -> str:
    """An SQNR for people."""
    if parity.not_finite:
        return "NaN or Inf"
    return "exact" if parity.sqnr_db is None else f"{parity.sqnr_db:.1f} dB"


def _adds(own: TensorParity) -> float:
    if own.not_finite:
        return 1.0
    if own.sqnr_db is None or own.sqnr_db >= SAME_DB:
        return 0.0
    return min(1.0, (SAME_DB - own.sqnr_db) / (SAME_DB - _WORST_DB))


def _detail(layer: Layer, difference: LayerDifference | None, facts: LayerFacts) -> str:
    rows = [("operator", layer.operator), ("precision", layer.precision)]
    drawn = ""
    if difference is None:
        rows.append(("compared", "no, the other model has no such layer"))
    else:
        rows += [("SQNR", decibels(difference.output)), ("adds by itself", decibels(difference.own))]
        rows.append(("values", f"{short(difference.low)} to {short(difference.high)}"))
        if difference.limits is not None:
            rows.append(("int8 reaches", f"{short(difference.limits[0])} to {short(difference.limits[1])}"))
            rows.append(("clipped", f"{100 * difference.clipped:.3g} %"))
        if difference.counterpart != layer.name:
            how = "" if difference.by_name else ", by its place"
            rows.append(("compared with", f"{difference.counterpart}{how}"))
        if facts.counts is not None:
            drawn = _histogram(facts.counts, difference.low, difference.high, difference.limits)
    if facts.time is not None:
        for name, time in (("time before", facts.time.before), ("time after", facts.time.after)):
            value = "fused with another" if time is None else f"{time[0]:.0f} µs, {100 * time[1]:.1f} %"
            rows.append((name, value))
    rows += facts.rows
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(one_line(value))}</dd>" for name, value in rows)
    return f"<dl>{listed}</dl>{drawn}"


def _histogram(counts: NDArray[Any], low: float, high: float, limits: tuple[float, float] | None) -> str:
    """The values of the float model, tall bars in the root of their number, and what int8 reaches."""
    if not high > low or not counts.any():
        return ""
    ends = (low, high) if limits is None else (min(low, limits[0]), max(high, limits[1]))
    margin, base = 14, 92

    def x(value: float) -> float:
        return margin + (value - ends[0]) / (ends[1] - ends[0]) * (WIDTH - 2 * margin)

    wide = (x(high) - x(low)) / len(counts)
    parts = []
    if limits is not None:
        reach = x(limits[1]) - x(limits[0])
        parts.append(bar(x(limits[0]), base, reach, 80, "what int8 reaches", "reach"))
    tallest = float(np.sqrt(counts.max()))
    parts += [
        bar(x(low) + index * wide, base, max(0.4, wide - 0.4), 76 * float(np.sqrt(count)) / tallest, kind="values")
        for index, count in enumerate(counts.tolist())
        if count
    ]
    parts.append(line(margin, base, WIDTH - margin, base))
    if limits is not None:
        parts += [line(x(limit), base, x(limit), base - 80, "limit") for limit in limits]
    parts += [text(x(value), base + 13, short(value), "middle") for value in round_values(*ends, 5)]
    reaches = "" if limits is None else f"; int8 reaches {short(limits[0])} to {short(limits[1])}"
    label = f"Histogram of values from {short(low)} to {short(high)}, by the root of their number{reaches}"
    return chart(base + 18, label, parts)


def _shape(shape: Iterable[int | str]) -> str:
    return f"<dl><dt>shape</dt><dd>{escape(one_line('x'.join(map(str, shape))))}</dd></dl>"
