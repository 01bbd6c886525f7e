"""What in a board's telemetry makes a measurement taken beside it doubtful.

The rules, all over the time of the readings:

* **Throttled**, **over-current**: the board says that something holds it back at any moment, or remembers at the end
  something that it did not remember before, or the kernel has logged it meanwhile. What was remembered or logged
  before proves nothing.
* **Frequency dropped**: for at least 1 s while busy, every clock reading is below 80 % of the sustained clock, which is
  the highest that was held for 1 s while busy; busy is nine tenths of one core, or half of the GPU. So neither an idle
  core's clock nor the wandering of a boost counts. Of a CPU the fastest core is looked at, and it is compared only with
  what was held while at least three quarters as many cores were busy: a boost of one core is lost when many work.
* **Governor changed**, **power mode changed**: another one than before; governors are compared policy by policy.
* **Shared CPU**: other processes used, in the mean over some second, more than half a core and 5 % of all cores; or
  over the whole run more than a quarter of a core and 2 % of all cores.
* **Steal**: the hypervisor withheld 10 % over some second, or 2 % over the whole run.

The rules over a whole run are what judges one shorter than a second.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

from edgevision.core.records import Record, record
from edgevision.runtime.telemetry.reading import BoardState, Reading, Throttling

_WINDOW_S = 1.0
# Readings are never exactly as far apart as asked; two of half a second must make a second.
_WINDOW_TOLERANCE = 0.95
_DROPPED = 0.8
_BUSY_CORES, _BUSY_GPU = 0.9, 0.5
_SIMILAR_LOAD = 0.75


class FindingKind(StrEnum):
    """What happened to the board."""

    THROTTLED = "throttled"
    OVER_CURRENT = "over-current"
    FREQUENCY_DROPPED = "frequency dropped"
    GOVERNOR_CHANGED = "governor changed"
    POWER_MODE_CHANGED = "power mode changed"
    SHARED_CPU = "shared CPU"
    STEAL = "steal"


@record
class Finding(Record):
    """One event. Times are those of the readings; ``end_s`` is ``None`` where it held to the last that tells."""

    kind: FindingKind
    message: str
    start_s: float
    end_s: float | None = None


class _Span(NamedTuple):
    """A value that held, or is the mean, from ``start`` to ``end``; beside a CPU's clock, how many cores were busy."""

    start: float
    end: float
    value: float
    cores: float = 0.0

    @property
    def length(self) -> float:
        return self.end - self.start


def find(readings: Sequence[Reading], before: BoardState, after: BoardState) -> tuple[Finding, ...]:
    """Everything doubtful about a run, in the order of time."""
    last = readings[-1].time_s if readings else 0.0
    rules: tuple[Iterable[Finding], ...] = (
        _held_back(readings, last),
        _remembered(readings, before, after, last),
        _logged(before, after),
        _clock_dropped("CPU", _busy_cpu_clocks(readings, before)),
        _clock_dropped("GPU", _busy_gpu_clocks(readings)),
        _governor_changed(readings),
        _power_mode_changed(before, after, last),
        _shared(readings, before),
        _stolen(readings),
    )
    return tuple(sorted((finding for rule in rules for finding in rule), key=lambda finding: finding.start_s))


def _held_back(readings: Sequence[Reading], last: float) -> Iterator[Finding]:
    for throttling in dict.fromkeys(each for reading in readings for each in reading.throttled):
        holding = [reading for reading in readings if throttling in reading.throttled]
        hottest = max((celsius for reading in holding for celsius in reading.temperatures.values()), default=None)
        figures = f"in {len(holding)} of {len(readings)} readings"
        if hottest is not None:
            figures += f", up to {hottest:.1f} °C"
        start, end = holding[0].time_s, holding[-1].time_s
        yield _finding(_kind_of(throttling), f"the board reported {throttling}", start, end, last, figures)


def _remembered(readings: Sequence[Reading], before: BoardState, after: BoardState, last: float) -> Iterator[Finding]:
    if before.occurred is None:
        return
    seen = {each for reading in readings for each in reading.throttled}
    noted = [(reading.time_s, reading.occurred) for reading in readings] + [(last, after.occurred or ())]
    for throttling in dict.fromkeys(each for _, several in noted for each in several):
        if throttling not in before.occurred and throttling not in seen:
            end = next(time for time, several in noted if throttling in several)
            start = max((time for time, words in noted if time < end), default=0.0)
            message = (
                f"the board noted {throttling}, which it had not before the run, at most {end - start:.1f} s before"
            )
            yield Finding(
                kind=_kind_of(throttling),
                message=f"{message} {end:.1f} s",
                start_s=start,
                end_s=None if end >= last else end,
            )


def _logged(before: BoardState, after: BoardState) -> Iterator[Finding]:
    new = [warning for warning in after.kernel_warnings if warning not in before.kernel_warnings]
    for message in dict.fromkeys(warning.partition(" (")[0] for warning in new):
        count = sum(warning.partition(" (")[0] == message for warning in new)
        times = "once" if count == 1 else f"{count} times"
        kind = FindingKind.OVER_CURRENT if "OC ALARM" in message else FindingKind.THROTTLED
        yield Finding(kind=kind, message=f"the kernel logged {message!r} {times} during the run", start_s=0.0)


def _kind_of(throttling: str) -> FindingKind:
    return FindingKind.OVER_CURRENT if throttling == Throttling.OVER_CURRENT else FindingKind.THROTTLED


def _busy_cpu_clocks(readings: Sequence[Reading], before: BoardState) -> list[_Span]:
    clocks = [
        _Span(earlier.time_s, now.time_s, max(now.cpu_mhz), now.cpu_busy * (before.cores or len(now.cpu_mhz)))
        for earlier, now in pairwise(readings)
        if now.cpu_mhz and now.cpu_busy is not None
    ]
    return [clock for clock in clocks if clock.cores >= _BUSY_CORES]


def _busy_gpu_clocks(readings: Sequence[Reading]) -> list[_Span]:
    return [
        _Span(earlier.time_s, now.time_s, now.gpu_mhz)
        for earlier, now in pairwise(readings)
        if now.gpu_mhz is not None and now.gpu_load is not None and now.gpu_load >= _BUSY_GPU
    ]


def _clock_dropped(processor: str, clocks: Sequence[_Span]) -> Iterator[Finding]:
    windows = list(_windows(clocks))
    last = clocks[-1].end if clocks else 0.0
    sustained = _sustained_clocks(windows)
    low = [
        (window, held)
        for window, held in zip(windows, sustained, strict=True)
        if max(span.value for span in window) < _DROPPED * held
    ]
    for start, end in _joined((window[0].start, window[-1].end) for window, _ in low):
        inside = [span.value for span in clocks if start <= span.start and span.end <= end]
        highest = max(held for window, held in low if start <= window[0].start and window[-1].end <= end)
        yield _finding(
            FindingKind.FREQUENCY_DROPPED,
            f"the {processor} ran at {min(inside):.0f} MHz",
            start,
            end,
            last,
            f"its sustained clock is {highest:.0f} MHz",
        )


def _sustained_clocks(windows: Sequence[Sequence[_Span]]) -> list[float]:
    """For each window the highest clock that was held throughout one of similar or higher load; 0 without such."""
    held = [(min(span.cores for span in window), min(span.value for span in window)) for window in windows]
    held.sort(reverse=True)
    highest = list(accumulate((clock for _, clock in held), max, initial=0.0))
    loads = [max(span.cores for span in window) for window in windows]
    return [highest[bisect_right(held, -_SIMILAR_LOAD * load, key=lambda known: -known[0])] for load in loads]


def _governor_changed(readings: Sequence[Reading]) -> Iterator[Finding]:
    known: dict[int, str] = {}
    for reading in readings:
        now = {policy: governor for policy, governor in enumerate(reading.governors) if governor}
        changed = [policy for policy in now if known.get(policy, now[policy]) != now[policy]]
        if changed:
            earlier, later = (" + ".join(dict.fromkeys(which[policy] for policy in changed)) for which in (known, now))
            message = f"the CPU governor changed from {earlier} to {later} at {reading.time_s:.1f} s"
            yield Finding(kind=FindingKind.GOVERNOR_CHANGED, message=message, start_s=reading.time_s)
        known |= now


def _power_mode_changed(before: BoardState, after: BoardState, last: float) -> Iterator[Finding]:
    if before.power_mode and after.power_mode and before.power_mode != after.power_mode:
        message = f"the power mode was {before.power_mode} before the run and {after.power_mode} at {last:.1f} s"
        yield Finding(kind=FindingKind.POWER_MODE_CHANGED, message=message, start_s=0.0)


def _shared(readings: Sequence[Reading], before: BoardState) -> Iterator[Finding]:
    spans = [
        _Span(earlier.time_s, now.time_s, max(0.0, now.cpu_busy - now.cpu_own))
        for earlier, now in pairwise(readings)
        if now.cpu_busy is not None and now.cpu_own is not None
    ]
    core = 1 / before.cores if before.cores else 0.0
    for start, end, share in _above(spans, short=max(core / 2, 0.05), whole=max(core / 4, 0.02)):
        cores = f"{share * before.cores:.1f} of {before.cores} cores" if before.cores else ""
        message = f"other processes used {share:.0%} of the CPU"
        yield _finding(FindingKind.SHARED_CPU, message, start, end, spans[-1].end, cores)


def _stolen(readings: Sequence[Reading]) -> Iterator[Finding]:
    spans = [
        _Span(earlier.time_s, now.time_s, now.cpu_steal)
        for earlier, now in pairwise(readings)
        if now.cpu_steal is not None
    ]
    for start, end, share in _above(spans, short=0.10, whole=0.02):
        message = f"the hypervisor withheld {share:.1%} of the CPU"
        yield _finding(FindingKind.STEAL, message, start, end, spans[-1].end)


def _above(spans: Sequence[_Span], *, short: float, whole: float) -> Iterator[tuple[float, float, float]]:
    """Start, end and mean of each span of time where the mean over some second exceeds ``short``.

    Without such it is the whole run, if its mean exceeds ``whole``.
    """
    above = [window for window in _windows(spans) if _mean(window) > short]
    spans_above = _joined((window[0].start, window[-1].end) for window in above)
    for start, end in spans_above:
        inside = [span for span in spans if start <= span.start and span.end <= end]
        high = [span for span in inside if span.value > short]
        start, end = high[0].start, high[-1].end
        yield start, end, _mean([span for span in inside if start <= span.start and span.end <= end])
    if not spans_above and _mean(spans) > whole:
        yield spans[0].start, spans[-1].end, _mean(spans)


def _mean(spans: Sequence[_Span]) -> float:
    length = sum(span.length for span in spans)
    return sum(span.length * span.value for span in spans) / length if length > 0 else 0.0


def _windows(spans: Sequence[_Span]) -> Iterator[Sequence[_Span]]:
    """The shortest run of spans from each one on that makes a second."""
    end, length = 0, 0.0
    for start, span in enumerate(spans):
        while end < len(spans) and length < _WINDOW_TOLERANCE * _WINDOW_S:
            length += spans[end].length
            end += 1
        if length < _WINDOW_TOLERANCE * _WINDOW_S:
            return
        yield spans[start:end]
        length -= span.length


def _joined(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping and touching intervals as one; given in the order of their starts."""
    joined: list[tuple[float, float]] = []
    for start, end in intervals:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _finding(kind: FindingKind, what: str, start: float, end: float, last: float, figures: str = "") -> Finding:
    to_the_end = end >= last
    when = f"from {start:.1f} s to {'the end' if to_the_end else f'{end:.1f} s'}"
    message = f"{what} {when}" + (f" ({figures})" if figures else "")
    return Finding(kind=kind, message=message, start_s=start, end_s=None if to_the_end else end)
