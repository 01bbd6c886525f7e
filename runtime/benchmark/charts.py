"""Drawings of a measurement as inline SVG: histogram, time series, bars side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgevision.core.drawing import WIDTH, bar, chart, line, round_values, short, text
from edgevision.runtime.benchmark.statistics import Estimate, Floats, outlier_fence

_LEFT, _RIGHT = 40, 8
_BINS = 60
_COLUMNS = 160
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
    base, most = 116, max(int(counts.max()), above, 1)
    wide = (WIDTH - _LEFT - _RIGHT) / (_BINS + 3)
    bars = [
        bar(_LEFT + i * wide, base, wide - 0.5, 96 * count / most, f"{count} of {len(samples)}")
        for i, count in enumerate(counts.tolist())
        if count
    ]
    if above:
        place, tall = _LEFT + (_BINS + 1) * wide, max(1, 96 * above / most)
        bars.append(bar(place, base, 2 * wide - 0.5, tall, f"{above} outliers", "far"))
        bars.append(text(WIDTH - _RIGHT, base - tall - 4, f"{above} above", "end"))
    ticks = [
        text(_LEFT + (value - low) / (high - low) * _BINS * wide, base + 13, short(value), "middle")
        for value in round_values(low, high)
    ]
    frame = [line(_LEFT, base, WIDTH - _RIGHT, base), text(_LEFT - 5, 24, str(most), "end")]
    frame.append(text((_LEFT + WIDTH) / 2, base + 28, "ms", "middle"))
    label = f"Histogram of {len(samples)} latencies from {low:.3f} to {float(samples.max()):.3f} ms, {above} outliers"
    return chart(base + 34, label, [*frame, *bars, *ticks])


def time_series(panels: Sequence[TimeSeries], doubtful: Sequence[tuple[float, float]]) -> str:
    """Panels under each other on one axis of time; what is ``doubtful`` is shaded through all of them."""
    last = max([1e-9, *(time for panel in panels for time in panel.times)])
    tall, gap = 52, 28
    height = len(panels) * (tall + gap)

    def x(time: float) -> float:
        return _LEFT + time / last * (WIDTH - _LEFT - _RIGHT)

    parts = []
    for start, end in doubtful:
        wide = max(2.0, x(min(end, last)) - x(start))
        parts.append(f"<rect class=doubtful x='{x(start):.1f}' y='0' width='{wide:.1f}' height='{height}' />")
    for number, panel in enumerate(panels):
        top = number * (tall + gap) + 20
        values = np.array(panel.values)
        low, high = panel.scale or (float(values.min()), float(values.max()))
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        low, high = low - margin, high + margin

        def y(value: float, top: int = top, low: float = low, high: float = high) -> float:
            return top + tall - (value - low) / (high - low) * tall

        parts.append(text(0, top - 8, f"{panel.name}, {panel.unit}"))
        parts.append(line(_LEFT, top + tall, WIDTH - _RIGHT, top + tall))
        parts += [text(_LEFT - 5, y(value) + 4, short(value), "end") for value in round_values(low, high, 4)]
        draw = _spread if panel.is_samples else _polyline
        parts += draw(np.array(panel.times), values, x, y)
    *moments, final = round_values(0, last)
    parts += [text(x(t), height + 9, short(t), "middle") for t in moments]
    parts.append(text(x(final), height + 9, f"{short(final)} s", "middle" if final < 0.95 * last else "end"))
    names = ", ".join(panel.name for panel in panels)
    return chart(height + 14, f"Over {last:.1f} seconds: {names}; {len(doubtful)} doubtful spans", parts)


def side_by_side(rows: Sequence[tuple[str, Estimate, float, float]]) -> str:
    """One bar for each (name, median, 90th and 99th percentile): the median with its interval, ticks for the others.

    The medians fill the width, so that they can be compared; a tick that lies further out is left to its number.
    """
    longest = max(median.value if median.high is None else median.high for _, median, _, _ in rows) or 1.0
    most = _BEYOND_MEDIANS * longest
    room, tall = WIDTH - _RIGHT, 52
    parts = []
    for number, (name, median, p90, p99) in enumerate(rows):
        top = number * tall

        def x(value: float) -> float:
            return value / most * room

        parts.append(text(0, top + 12, name, kind="strong"))
        parts.append(text(0, top + 42, f"{short(median.value)} ms, p90 {short(p90)}, p99 {short(p99)}"))
        parts.append(bar(0, top + 30, x(median.value), 13))
        if median.low is not None and median.high is not None:
            parts.append(line(x(median.low), top + 23.5, x(median.high), top + 23.5, "whisker"))
        parts += [line(x(value), top + 17, x(value), top + 30, "tick") for value in (p90, p99) if value <= most]
    label = "Medians of " + ", ".join(f"{name} {median.value:.3f} ms" for name, median, _, _ in rows)
    return chart(len(rows) * tall, label, parts)


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
