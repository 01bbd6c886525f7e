"""A graph on a page: drawn in layers, to zoom, to search, and to ask for what is known of a layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from edgevision.core.printable import one_line
from edgevision.exporters.comparison.graph_layout import BOX_HEIGHT, BOX_WIDTH, lay_out

_MARGIN = 12
# So many characters fit in a box: the last ones of a name tell most, the first ones of an operator.
_LETTERS, _OPERATOR_LETTERS = 19, 10

GRAPH_STYLE = """
body { max-width: 76rem; }
.graph { display: grid; grid-template-columns: minmax(0, 1fr); gap: .5rem 1rem; }
.graph .bar { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; }
.graph button, .graph input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: .3rem; padding: .2rem .7rem; } .graph input { flex: 1 1 8rem; min-width: 0; max-width: 22rem; }
.pane { overflow: auto; height: 75vh; border: 1px solid var(--line); border-radius: .3rem; cursor: grab; }
.pane svg { display: block; margin: auto; }
.node { cursor: pointer; } .node rect.box { fill: var(--page); stroke: var(--line); stroke-width: 1.2; }
.node text { font-size: 11px; } .node .strong { fill: var(--ink); font-weight: 600; }
.node.int8 rect.box { fill: var(--int8); stroke: var(--first); } .node.stored rect.box { fill: var(--stored); }
.node.end rect.box { rx: 20px; stroke-dasharray: 3 3; } .node.alone rect.box { stroke-dasharray: 5 3; }
.node .adds { fill: var(--warn); } .node .time { fill: var(--second); }
.node.chosen rect.box, .node:focus-visible rect.box { stroke: var(--ink); stroke-width: 2.5; outline: none; }
.node:focus { outline: none; } .searched .node { opacity: .3; } .searched .node.found { opacity: 1; }
.edge { fill: none; stroke: var(--quiet); stroke-width: 1.2; } .arrow { fill: var(--quiet); }
.detail .chart text { font-size: 11px; } .detail h3 { margin: .2rem 0; overflow-wrap: anywhere; font-size: 1rem; }
.detail dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 .8rem; margin: .4rem 0; }
.detail dt { color: var(--soft); } .detail dd { margin: 0; overflow-wrap: anywhere; }
.key { display: inline-block; width: .8rem; height: .8rem; border: 1px solid var(--line); vertical-align: -.1rem; }
.key.int8 { background: var(--int8); border-color: var(--first); } .key.stored { background: var(--stored); }
.key.adds { background: var(--warn); width: .25rem; border: 0; }
.key.time { background: var(--second); height: .25rem; vertical-align: .2rem; border: 0; }
:root { --int8: #e3eefd; --stored: #eef0f3; }
@media (prefers-color-scheme: dark) { :root { --int8: #16294a; --stored: #222936; } }
@media (min-width: 60rem) { .graph { grid-template-columns: minmax(0, 1fr) 22rem; } .detail, .hint { max-height: 75vh;
  overflow: auto; } }
"""

GRAPH_SCRIPT = Path(__file__).with_name("graph_view.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class GraphNode:
    """A box.

    Attributes:
        key: what others call it.
        name, operator: shown, and what is searched.
        kind: of its style: ``int8``, ``stored``, ``float``, ``alone`` for what has no counterpart, ``end`` for an input
            or an output of the graph.
        figure: shown beside the operator.
        adds: how much of what is wrong it adds, 0..1; ``share`` of the time it takes, 0..1.
        detail: what is shown when it is chosen, as HTML.
        inputs: the keys of what it reads, which stand before it.
    """

    key: str
    name: str
    operator: str
    kind: str
    inputs: tuple[str, ...]
    detail: str = ""
    figure: str = ""
    adds: float = 0.0
    share: float = 0.0


def graph_view(nodes: Sequence[GraphNode]) -> str:
    """The graph with what moves it, and the details of the node that is chosen.

    An element with ``data-show`` of :func:`node_numbers` anywhere on the page leads to that node.
    """
    known = {node.key for node in nodes}
    edges = [(key, node.key) for node in nodes for key in node.inputs if key in known]
    layout = lay_out([node.key for node in nodes], edges)
    numbers = node_numbers(nodes)
    lines = "".join(_line(points) for points in layout.lines.values())
    boxes = "".join(_box(node, numbers[node.key], layout.boxes[node.key]) for node in nodes)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    svg = f"<svg viewBox='{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}' width='{width:.0f}' height='{height:.0f}'"
    svg += f" role=img aria-label='graph of {len(nodes)} nodes'>{lines}{boxes}</svg>"
    details = "".join(
        f"<section class=detail id=d{numbers[node.key]} hidden><h3>{escape(one_line(node.name))}</h3>{node.detail}"
        "</section>"
        for node in nodes
    )
    return (
        "<div class=graph><div class=bar><button class=out aria-label='smaller'>−</button>"
        "<button class=in aria-label='larger'>+</button><button class=fit>all</button>"
        "<input type=search placeholder='name or operator' aria-label='search the graph'><output></output></div>"
        f"<div class=pane>{svg}</div>"
        f"<div><p class='hint soft'>Choose a layer to see more of it.</p>{details}</div></div>"
    )


def node_numbers(nodes: Sequence[GraphNode]) -> dict[str, int]:
    """By the key of each node, its number on the page."""
    return {node.key: index for index, node in enumerate(nodes)}


def _box(node: GraphNode, number: int, place: tuple[float, float]) -> str:
    name, operator = one_line(node.name), one_line(node.operator)
    words = escape(f"{name} {operator}".lower(), quote=True)
    parts = [f"<rect class=box width='{BOX_WIDTH:g}' height='{BOX_HEIGHT:g}' rx='5' />"]
    if node.adds > 0:
        tall = max(3.0, node.adds * (BOX_HEIGHT - 8))
        parts.append(f"<rect class=adds x='4' y='{BOX_HEIGHT - 4 - tall:.1f}' width='4' height='{tall:.1f}' rx='1' />")
    if node.share > 0:
        wide = max(1.0, node.share * (BOX_WIDTH - 24))
        parts.append(f"<rect class=time x='12' y='{BOX_HEIGHT - 5:g}' width='{wide:.1f}' height='2.5' rx='1' />")
    parts.append(f"<text class=strong x='12' y='15'>{escape(_beginning(operator))}</text>")
    parts.append(f"<text x='{BOX_WIDTH - 7:g}' y='15' text-anchor=end>{escape(node.figure)}</text>")
    parts.append(f"<text x='12' y='30'>{escape(_ending(name))}</text>")
    return (
        f"<g class='node {node.kind}' data-node='{number}' data-words='{words}' tabindex=0"
        f" transform='translate({place[0]:.1f} {place[1]:.1f})'><title>{escape(f'{operator} {name}')}</title>"
        f"{''.join(parts)}</g>"
    )


def _beginning(operator: str) -> str:
    return operator if len(operator) <= _OPERATOR_LETTERS else f"{operator[: _OPERATOR_LETTERS - 1]}…"


def _ending(name: str) -> str:
    return name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}"


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Smooth between layers, straight beside boxes, with a head."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        if x1 == x2:
            path.append(f"V{y2:.1f}")
        else:
            middle = (y1 + y2) / 2
            path.append(f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}")
    x, y = points[-1]
    head = f"<path class=arrow d='M{x - 3:.1f} {y - 6:.1f}h6l-3 6z' />"
    return f"<path class=edge d='{''.join(path)}' />{head}"
