"""What charts of the pages are drawn with: inline SVG, laid out for a telephone, of which a wide screen has more room.

A chart is :data:`WIDTH` units wide, about the pixels of a telephone. The page's style shrinks the texts, in these
units, where the chart is shown larger, so that what has room on the smallest screen has room everywhere.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 360
"""Of every chart."""

CHARACTER, LINE = 6.2, 13
"""What a character takes in width on a telephone, and a line of them in height."""

CHART_STYLE = """
.chart { display: block; width: 100%; max-width: 46rem; height: auto; } .chart text { font-size: 11px; }
.chart line, .chart path, .chart polyline, .chart circle { vector-effect: non-scaling-stroke; }
@media (min-width: 30rem) { .chart text { font-size: 9px; } }
@media (min-width: 40rem) { .chart text { font-size: 7.3px; } }
@media (min-width: 48rem) { .chart text { font-size: 6.3px; } }
"""


def chart(height: float, label: str, parts: Iterable[str]) -> str:
    """A drawing of :data:`WIDTH` by ``height``, which ``label`` says in words."""
    title = f"<title>{escape(label)}</title>"
    return f"<svg class=chart viewBox='0 0 {WIDTH} {height:.0f}' role=img>{title}{''.join(parts)}</svg>"


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """``words`` whose base line is at ``y``."""
    return f"<text{f' class={kind}' * bool(kind)} x='{x:.1f}' y='{y:.1f}' text-anchor={anchor}>{escape(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    """A straight line of the style ``kind``."""
    return f"<line class={kind} x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' />"


def bar(x: float, base: float, wide: float, tall: float, title: str = "", kind: str = "bar") -> str:
    """A bar that stands on ``base``; ``title`` is shown when it is pointed at."""
    place = f"x='{x:.1f}' y='{base - tall:.1f}' width='{wide:.1f}' height='{tall:.1f}'"
    return f"<rect class={kind} {place}>{f'<title>{escape(title)}</title>' * bool(title)}</rect>"


def point(x: float, y: float, radius: float, title: str, kind: str) -> str:
    """A dot; ``title`` is shown when it is pointed at."""
    return f"<circle class={kind} cx='{x:.1f}' cy='{y:.1f}' r='{radius:g}'><title>{escape(title)}</title></circle>"


def round_values(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between both, 1, 2 or 5 times a power of ten apart: up to ``most``, which is at least 4.

    There are none where both are equal.
    """
    if not high > low:
        return []
    exponent = math.floor(math.log10((high - low) / most))
    for step in (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [number * step for number in range(first, last + 1)]


def short(value: float) -> str:
    """A number for a label: four digits, and no -0."""
    return f"{value + 0.0:.4g}" if abs(value) > 1e-12 else "0"


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether both have a place in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and self.top < other.bottom and other.top < self.bottom

    def lies_in(self, area: "Box") -> bool:
        """Whether nothing of it is outside."""
        across = area.left <= self.left and self.right <= area.right
        return across and area.top <= self.top and self.bottom <= area.bottom


class Label(NamedTuple):
    """Where the name of a point stands.

    Attributes:
        box: what it takes on a telephone; on a wide screen it is smaller.
        anchor: which end of it is at its place, that next to its point: ``start``, ``middle`` or ``end``.
        lead: x1, y1, x2, y2 of a line from the point to the edge of a name that is far from it.
    """

    box: Box
    anchor: str
    lead: tuple[float, float, float, float] | None

    @property
    def x(self) -> float:
        """Of the anchor."""
        left, right = self.box.left, self.box.right
        return {"start": left, "middle": (left + right) / 2, "end": right}[self.anchor]

    @property
    def y(self) -> float:
        """Of the base line."""
        return self.box.bottom - 3


def place_labels(
    points: Sequence[tuple[float, float]], names: Sequence[str], area: Box, taken: Iterable[Box] = ()
) -> list[Label | None]:
    """Beside each of ``points`` its name, so that no two names and no name and point cover each other in ``area``.

    What is ``taken`` stays free too. Where there is no room left, which takes a dozen long names, there is no label.
    """
    taken = [*taken, *(Box(x - 4, y - 4, x + 4, y + 4) for x, y in points)]
    labels = []
    for (x, y), name in zip(points, names, strict=True):
        places = (place for place in _around(x, y, CHARACTER * len(name)) if place.box.lies_in(area))
        label = next((place for place in places if not any(map(place.box.meets, taken))), None)
        labels.append(label)
        taken += [label.box] if label is not None else []
    return labels


def _around(x: float, y: float, wide: float) -> Iterable[Label]:
    """Labels of that width beside a point, above it and below, the nearest first, half a line apart."""
    for distance in range(24):
        away = distance * LINE / 2
        for base in dict.fromkeys((y + 4 - away, y + 4 + away)):
            top, bottom = base - LINE + 3, base + 3
            for left, anchor in ((x + 7, "start"), (x - 7 - wide, "end"), (x - wide / 2, "middle")):
                box = Box(left, top, left + wide, bottom)
                if distance > 1:
                    edge = bottom if bottom < y else top
                    ends = {"start": (x + 5, base - 4), "end": (x - 5, base - 4), "middle": (x, edge)}
                    yield Label(box, anchor, (x, y, *ends[anchor]))
                elif anchor != "middle":
                    yield Label(box, anchor, None)
