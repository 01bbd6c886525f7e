"""Drawings of a measurement as inline SVG: histogram, time series, bars side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from edgevision.runtime.benchmark.statistics import Estimate, Floats, outlier_fence

_WIDTH, _LEFT, _RIGHT = 720, 64, 12
_BINS = 60
_COLUMNS = 320
# How far the scale of bars goes past the longest median.
_BEYOND_MEDIANS = 1.3


@dataclass(frozen=True)
class TimeSeries:
    """One panel over time: ``values`` at ``times`` in seconds, drawn as a line, or as the spread of many samples.

    The scale is from the lowest to the highest value, or ``scale``.
    """

    name: str
    unit: str
    times: Sequence[float]
    values: Sequence[float]
    is_samples: bool = False
    scale: tuple[float, float] | None = None


def histogram(samples: Floats) -> str:
    """How many samples took how long. Outliers are counted in a last bar of their own."""
    fence = outlier_fence(samples)
    above = int((samples > fence).sum())
    inside = samples[samples <= fence]
    low, high = float(inside.min()), float(inside.max())
    high = high if high > low else low * 1.01 + 1e-9
    counts, _ = np.histogram(inside, _BINS, (low, high))
    base, most = 190, max(int(counts.max()), above, 1)
    wide = (_WIDTH - _LEFT - _RIGHT) / (_BINS + 3)
    bars = [
        _bar(_LEFT + i * wide, base, wide - 1, 170 * count / most, f"{count} of {len(samples)}")
        for i, count in enumerate(counts.tolist())
        if count
    ]
    if above:
        place = _LEFT + (_BINS + 1) * wide
        bars.append(_bar(place, base, 2 * wide - 1, max(1, 170 * above / most), f"{above} outliers", "far"))
        bars.append(_text(_WIDTH - _RIGHT, base - max(1, 170 * above / most) - 4, f"{above} above", "end"))
    ticks = [
        _text(_LEFT + (value - low) / (high - low) * _BINS * wide, base + 16, _short(value), "middle")
        for value in _round_values(low, high)
    ]
    frame = [_line(_LEFT, base, _WIDTH - _RIGHT, base), _text(_LEFT - 6, 30, str(most), "end")]
    frame.append(_text((_LEFT + _WIDTH) / 2, base + 34, "ms", "middle"))
    label = f"Histogram of {len(samples)} latencies from {low:.3f} to {float(samples.max()):.3f} ms, {above} outliers"
    return _drawing(base + 40, label, [*frame, *bars, *ticks])


def time_series(panels: Sequence[TimeSeries], doubtful: Sequence[tuple[float, float]]) -> str:
    """Panels under each other on one axis of time; what is ``doubtful`` is shaded through all of them."""
    last = max([1e-9, *(time for panel in panels for time in panel.times)])
    tall, gap = 84, 26
    height = len(panels) * (tall + gap)

    def x(time: float) -> float:
        return _LEFT + time / last * (_WIDTH - _LEFT - _RIGHT)

    parts = []
    for start, end in doubtful:
        wide = max(2.0, x(min(end, last)) - x(start))
        parts.append(f"<rect class=doubtful x='{x(start):.1f}' y='0' width='{wide:.1f}' height='{height}' />")
    for number, panel in enumerate(panels):
        top = number * (tall + gap) + 16
        values = np.array(panel.values)
        ends = panel.scale or (float(values.min()), float(values.max()))
        low, high = ends
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        low, high = low - margin, high + margin

        def y(value: float, top: int = top, low: float = low, high: float = high) -> float:
            return top + tall - (value - low) / (high - low) * tall

        parts.append(_text(_LEFT, top - 4, f"{panel.name}, {panel.unit}"))
        parts.append(_line(_LEFT, top + tall, _WIDTH - _RIGHT, top + tall))
        parts += [_text(_LEFT - 6, y(v) + 4, _short(v), "end") for v in dict.fromkeys(ends)]
        draw = _spread if panel.is_samples else _polyline
        parts += draw(np.array(panel.times), values, x, y)
    parts += [_text(x(t), height - 2 + 12, _short(t), "middle") for t in _round_values(0, last)]
    parts.append(_text(_WIDTH - _RIGHT, height - 2 + 12, "s", "end"))
    names = ", ".join(panel.name for panel in panels)
    return _drawing(height + 16, f"Over {last:.1f} seconds: {names}; {len(doubtful)} doubtful spans", parts)


def side_by_side(rows: Sequence[tuple[str, Estimate, float, float]]) -> str:
    """One bar for each (name, median, 90th and 99th percentile): the median with its interval, ticks for the others.

    The medians fill the width, so that they can be compared; a tick that lies further out is left to its number.
    """
    longest = max(median.value if median.high is None else median.high for _, median, _, _ in rows) or 1.0
    most = _BEYOND_MEDIANS * longest
    room, tall = _WIDTH - _RIGHT, 48
    parts = []
    for number, (name, median, p90, p99) in enumerate(rows):
        top = number * tall

        def x(value: float) -> float:
            return value / most * room

        parts.append(f"<text class=strong x='0' y='{top + 14}'>{escape(name)}</text>")
        figures = f"{_short(median.value)} ms, p90 {_short(p90)}, p99 {_short(p99)}"
        parts.append(_text(room, top + 14, figures, "end"))
        parts.append(f"<rect class=bar x='0' y='{top + 21}' width='{x(median.value):.1f}' height='14' rx='2' />")
        if median.low is not None and median.high is not None:
            parts.append(_line(x(median.low), top + 28, x(median.high), top + 28, "whisker"))
        parts += [_line(x(value), top + 21, x(value), top + 35, "tick") for value in (p90, p99) if value <= most]
    label = "Medians of " + ", ".join(f"{name} {median.value:.3f} ms" for name, median, _, _ in rows)
    return _drawing(len(rows) * tall, label, parts)


def share_bar(share: float, largest: float) -> str:
    """A small bar for a table, as long as ``share`` is of ``largest``, with its number."""
    wide = max(1.0, 110 * share / largest)
    return (
        "<svg viewBox='0 0 170 14' style='width:170px' aria-hidden=true>"
        f"<rect class=bar width='{wide:.0f}' height='10' y='2' rx='2' /><text x='{wide + 6:.0f}' y='11'>"
        f"{100 * share:.1f} %</text></svg>"
    )


def _spread(times: Floats, values: Floats, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """Each column from its fastest to its slowest sample, and its median as a dot: no sample is left out."""
    column = np.minimum((times - times[0]) / max(float(times[-1] - times[0]), 1e-9) * _COLUMNS, _COLUMNS - 1).astype(
        int
    )
    reach, dots = [], []
    for part in np.split(np.arange(len(times)), np.flatnonzero(np.diff(column)) + 1):
        place = x(float(times[part].mean()))
        own = values[part]
        if len(part) > 1:
            reach.append(f"M{place:.1f} {y(float(own.min())):.1f}V{y(float(own.max())):.1f}")
        dots.append(f"M{place:.1f} {y(float(np.median(own))):.1f}h0")
    return [f"<path class=reach d='{''.join(reach)}' />", f"<path class=dots d='{''.join(dots)}' />"]


def _polyline(times: Floats, values: Floats, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(times.tolist(), values.tolist(), strict=True))
    return [f"<polyline class=series points='{points}' />"]


def _drawing(height: float, label: str, parts: Sequence[str]) -> str:
    title = f"<title>{escape(label)}</title>"
    return f"<svg viewBox='0 0 {_WIDTH} {height:.0f}' role=img>{title}{''.join(parts)}</svg>"


def _bar(x: float, base: float, wide: float, tall: float, title: str, kind: str = "bar") -> str:
    place = f"x='{x:.1f}' y='{base - tall:.1f}' width='{wide:.1f}' height='{tall:.1f}'"
    return f"<rect class={kind} {place}><title>{escape(title)}</title></rect>"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    return f"<line class={kind} x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' />"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor={anchor}>{escape(text)}</text>"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _round_values(low: float, high: float) -> list[float]:
    """Some five round numbers between both."""
    step = 10 ** math.floor(math.log10(high - low))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= 6)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
