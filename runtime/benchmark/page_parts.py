"""What the pages of measurements have in common: facts, findings, and the board over time."""

from collections.abc import Iterable, Sequence
from html import escape

from edgevision.runtime.benchmark.charts import TimeSeries, time_series
from edgevision.runtime.telemetry.board_report import BoardReport

PAGE_STYLE = """
.bar { fill: var(--first); } .far { fill: var(--second); } .doubtful { fill: var(--mark); }
.strong { fill: var(--ink); }
.reach { stroke: var(--first); opacity: .45; stroke-width: 1.5; } .series { stroke: var(--second); fill: none;
  stroke-width: 2; } .dots { stroke: var(--first); stroke-width: 3; stroke-linecap: round; }
.whisker { stroke: var(--ink); stroke-width: 2; } .tick { stroke: var(--second); stroke-width: 2; }
td.n { white-space: nowrap; } .figures th { white-space: normal; } .figures td.n .soft { white-space: normal; }
@media (max-width: 480px) { .figures :is(th, td):is(:nth-child(3), :nth-child(4), :nth-child(6), :nth-child(7),
  :nth-child(8)) { display: none; } }
.warn { color: var(--warn); } dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; } dt {
  color: var(--soft); } dd { margin: 0; } ul { padding-left: 1.2rem; }
"""

OVER_TIME_NOTE = (
    "<p class=soft>Dots are medians, the lines behind them reach from the fastest to the slowest sample of that"
    " moment. Every sample is in it.</p>"
)


def facts_list(rows: Iterable[tuple[str, str]]) -> str:
    """Pairs of name and words."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"


def findings_list(board: BoardReport) -> str:
    """What makes the figures doubtful, or that nothing does."""
    if not board.findings:
        return "<p>Nothing was seen of the board that makes the figures doubtful.</p>"
    items = "".join(f"<li><b>{escape(f.kind)}</b>: {escape(f.message)}</li>" for f in board.findings)
    return f"<p class=warn><b>This run is unreliable.</b> Its figures may not be the board's own:</p><ul>{items}</ul>"


def over_time(panels: Sequence[TimeSeries], board: BoardReport) -> str:
    """Those panels and below them what is known of the board, on one axis of time."""
    panels, readings = list(panels), board.readings
    hottest = [(r.time_s, max(r.temperatures.values())) for r in readings if r.temperatures]
    clock = [(r.time_s, max(r.cpu_mhz)) for r in readings if r.cpu_mhz]
    busy = [(r.time_s, 100 * r.cpu_busy) for r in readings if r.cpu_busy is not None]
    power = [(r.time_s, r.total_power_w) for r in readings if r.total_power_w is not None]
    for name, unit, points, scale in (
        ("hottest sensor", "°C", hottest, None),
        ("fastest core", "MHz", clock, None),
        ("CPU in use by all programs", "%", busy, (0.0, 100.0)),
        ("power", "W", power, None),
    ):
        if points:
            times, values = zip(*points, strict=True)
            panels.append(TimeSeries(name, unit, times, values, scale=scale))
    last = max((r.time_s for r in readings), default=0.0)
    return time_series(panels, [(f.start_s, last if f.end_s is None else f.end_s) for f in board.findings])
