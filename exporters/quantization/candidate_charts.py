"""The candidates of a search as charts: by quality and speed, and in the order in which they were tried."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from edgevision.core.drawing import (
    WIDTH,
    Box,
    chart,
    line,
    place_labels,
    point,
    round_values,
    short,
    text,
)
from edgevision.exporters.quantization.engine_settings import form_label
from edgevision.exporters.quantization.report import CLEANED, QuantizationReport

CANDIDATE_STYLE = """
.tried, .missed { fill: var(--quiet); } .form, .held { fill: var(--first); } .best { fill: var(--second); }
.budget { stroke: var(--second); stroke-dasharray: 4 4; } .lead { stroke: var(--quiet); }
.way { fill: none; stroke: var(--line); stroke-width: 1.5; } .strong { fill: var(--ink); }
.strong, .label { paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
"""

# Times as fast as the fastest row, up to which candidates are shown where they are.
_BEYOND = 1.4
_LEFT, _TOP, _RIGHT = 44, 20, WIDTH - 10


class _Point(NamedTuple):
    """``loss`` is what it may be at most, which the budget bounds."""

    x: float
    loss: float
    kind: str
    name: str


def quality_against_speed(report: QuantizationReport) -> str:
    """Every candidate that was judged and timed: to the right faster, downwards worse.

    Of the forms that were timed to the end those have their names beside them that the reader chooses between.

    The search compared its candidates with the cleaned model, whose row says how fast that is beside the first.
    """
    cleaned = next((form.speedup.ratio for form in report.forms if form.name == CLEANED and form.speedup), 1.0)
    points = [
        _Point(cleaned * trial.speedup.ratio, trial.quality.at_most, "tried", form_label(trial.name, trial.engine))
        for trial in report.trials
        if trial.speedup is not None and trial.quality is not None
    ]
    points += [
        _Point(
            form.speedup.ratio if form.speedup else 1.0, form.at_most, "best" if form.written else "form", form.label
        )
        for form in report.forms
        if form.latency_ms is not None
    ]
    # Exact, or not a number: there is no place for it.
    points = [one for one in points if isfinite(one.loss)]
    if len(points) < 2:
        return "<p class=soft>Nothing was timed.</p>"
    # A candidate that something disturbed is no reason to make all others small: it stands at the edge.
    most = _BEYOND * max(one.x for one in points if one.kind != "tried")
    points = [one._replace(x=min(one.x, most)) for one in points]
    ratios = [one.x for one in points]
    margin = 0.06 * (max(ratios) - min(ratios) or 1)
    axes = _Axes(report, [one.loss for one in points], (min(ratios) - margin, max(ratios) + margin), 250)
    ticks = [(value, short(value)) for value in round_values(*axes.ends, 6)]
    parts = axes.frame(ticks, f"times as fast as the model {report.forms[0].name}")
    places = [(axes.x(one.x), axes.y(one.loss)) for one in points]
    parts += [
        point(x, y, 2 if one.kind == "tried" else 3.5, one.name, one.kind)
        for one, (x, y) in zip(points, places, strict=True)
    ]
    named = _to_choose_from(points)
    taken = [axes.budget_line, *(Box(x - 2, y - 2, x + 2, y + 2) for x, y in places)]
    labels = place_labels([places[i] for i in named], [points[i].name for i in named], axes.area, taken)
    # Lines first: where one leads through a name, the name stands over it.
    shown = [(index, label) for index, label in zip(named, labels, strict=True) if label is not None]
    parts += [line(*label.lead, "lead") for _, label in shown if label.lead is not None]
    for index, label in shown:
        kind = "strong" if points[index].kind == "best" else "label"
        parts.append(text(label.x, label.y, points[index].name, label.anchor, kind))
    return chart(axes.height, "loss against speed-up", parts)


def _to_choose_from(points: Sequence[_Point]) -> list[int]:
    """Those to name, by their places among ``points``: what is written, the first, and what no form beats in both.

    The names of all forms in two engines would cover the drawing.
    """
    forms = [index for index, one in enumerate(points) if one.kind != "tried"]
    best = [
        index
        for index in forms
        if not any(
            (points[i].x, -points[i].loss) != (points[index].x, -points[index].loss)
            and points[i].x >= points[index].x
            and points[i].loss <= points[index].loss
            for i in forms
        )
    ]
    written = [index for index in forms if points[index].kind == "best"]
    return list(dict.fromkeys([*written, *forms[:1], *best]))


def path_of_search(report: QuantizationReport) -> str:
    """The loss of the candidates in the order in which they were tried."""
    judged = [
        _Point(number, trial.quality.at_most, "tried", form_label(trial.name, trial.engine))
        for number, trial in enumerate(report.trials, 1)
        if trial.quality is not None and isfinite(trial.quality.at_most)
    ]
    if len(judged) < 2:
        return ""
    axes = _Axes(report, [one.loss for one in judged], (0.5, len(report.trials) + 0.5), 160)
    whole = dict.fromkeys(round(value) for value in round_values(*axes.ends, 6))
    parts = axes.frame([(value, str(value)) for value in whole if value >= 1], "candidate")
    way = " ".join(f"{axes.x(one.x):.1f},{axes.y(one.loss):.1f}" for one in judged)
    parts.append(f"<polyline class=way points='{way}' />")
    parts += [
        point(axes.x(one.x), axes.y(one.loss), 2.5, one.name, "held" if one.loss <= report.budget else "missed")
        for one in judged
    ]
    return chart(axes.height, "loss of the candidates in the order in which they were tried", parts)


class _Axes:
    """Loss downwards, and anything else to the right, with the budget as a line."""

    def __init__(
        self, report: QuantizationReport, losses: Sequence[float], ends: tuple[float, float], height: float
    ) -> None:
        self._report, self.ends, self.height = report, ends, height
        self._base = height - 34
        worst, best = max(*losses, report.budget), min(*losses, report.budget)
        margin = 0.08 * (worst - best or 1)
        self._worst, self._best = worst + margin, best - margin
        self.area = Box(_LEFT, _TOP - 6, _RIGHT, self._base)
        limit = self.y(report.budget)
        self.budget_line = Box(_LEFT, limit, _RIGHT, limit + 1)

    def x(self, value: float) -> float:
        return _LEFT + (value - self.ends[0]) / (self.ends[1] - self.ends[0]) * (_RIGHT - _LEFT)

    def y(self, loss: float) -> float:
        return _TOP + (loss - self._best) / (self._worst - self._best) * (self._base - _TOP)

    def frame(self, ticks: Sequence[tuple[float, str]], across: str) -> list[str]:
        report = self._report
        what = "SQNR, dB" if report.metric == "sqnr" else f"loss at most, {report.unit}"
        parts = [text(0, 11, what), text((_LEFT + _RIGHT) / 2, self.height - 5, across, "middle")]
        parts += [line(_LEFT, self._base, _RIGHT, self._base), line(_LEFT, _TOP, _LEFT, self._base)]
        for value, words in ticks:
            parts.append(line(self.x(value), self._base, self.x(value), self._base + 3))
            parts.append(text(self.x(value), self._base + 14, words, "middle"))
        # A loss that is a negative SQNR is shown as the SQNR.
        sign = -1 if report.metric == "sqnr" else 1
        low, high = sorted((sign * self._best, sign * self._worst))
        for value in round_values(low, high, 6):
            parts.append(line(_LEFT - 3, self.y(sign * value), _LEFT, self.y(sign * value)))
            parts.append(text(_LEFT - 6, self.y(sign * value) + 4, short(value), "end"))
        limit = self.y(report.budget)
        parts.append(line(_LEFT, limit, _RIGHT, limit, "budget"))
        # Beside the line its name would stand on points.
        parts += [text(_RIGHT - 22, 11, "budget", "end"), line(_RIGHT - 18, 7, _RIGHT, 7, "budget")]
        return parts
