"""The candidates of a search as charts: by quality and speed, and in the order in which they were tried."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from edgevision.core.drawing import (
    CHARACTER,
    LINE,
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
    forms = [index for index, one in enumerate(points) if one.kind != "tried"]
    taken = [axes.budget_label, *(Box(x - 2, y - 2, x + 2, y + 2) for x, y in places)]
    labels = place_labels([places[i] for i in forms], [points[i].name for i in forms], axes.area, taken)
    for index, label in zip(forms, labels, strict=True):
        one, (x, y) = points[index], places[index]
        if label.far:
            middle = label.x + CHARACTER * len(one.name) / 2
            end = min(max(x, label.x), label.x + CHARACTER * len(one.name))
            # To the edge of the words, which it does not cross.
            parts.append(line(x, y, (end + middle) / 2, label.y + 4 if label.y < y else label.y - 11, "lead"))
        parts.append(text(label.x, label.y, one.name, kind="strong" if one.kind == "best" else ""))
    return chart(axes.height, "loss against speed-up", parts)


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
        self.budget_label = Box(_RIGHT - 6 * CHARACTER, limit - LINE, _RIGHT, limit)

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
        parts += [line(_LEFT, limit, _RIGHT, limit, "budget"), text(_RIGHT, limit - 3, "budget", "end")]
        return parts
