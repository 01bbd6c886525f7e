"""Two measurements beside each other: what differs, how surely, and what has to be kept in mind about it.

They were not interleaved: a machine that was busier during one of them made it slower, and no figure of the clock tells
that from a slower model. What one thread computed does not grow with what others do, so CPU time is compared where both
have it. Otherwise a difference is called one of the models only where neither machine was disturbed.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.report import BenchmarkReport, SubjectReport
from edgevision.runtime.benchmark.statistics import Estimate, Ratio, ratio_of_medians
from edgevision.runtime.benchmark.timing import Clock
from edgevision.runtime.telemetry.findings import FindingKind


class Difference(StrEnum):
    """What two measurements say of the second model."""

    FASTER = "faster"
    SLOWER = "slower"
    NOT_SHOWN = "no difference shown"
    NOT_COMPARABLE = "not comparable"
    """A machine was disturbed, which may be all the difference."""


@record
class SubjectComparison(Record):
    """One subject in both: ``speedup`` is how many times as fast the second is as the first, by the means of blocks.

    ``clock`` says of what. ``ratio``, which earlier releases gave alone, is the inverse of ``speedup``: how many times
    as long the second takes.
    """

    label: str
    first_p50_ms: Estimate
    second_p50_ms: Estimate
    speedup: Ratio
    ratio: Ratio
    clock: Clock
    verdict: Difference


@record
class Comparison(Record):
    """``only_first`` and ``only_second`` are the subjects that the other one lacks. ``notes`` are to be read."""

    first: str
    second: str
    subjects: tuple[SubjectComparison, ...]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(first: BenchmarkReport, second: BenchmarkReport, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Compare the subjects that have model name, device, threads and batch in common.

    Where each report has one subject alone, these two are compared whatever they are. Nothing was paired in time, so
    the intervals are wider than those of subjects that were interleaved in one run, and hold for these two runs alone.

    Raises:
        InputError: the reports have nothing in common.
    """
    pairs, only_first, only_second = _matched(first.subjects, second.subjects)
    if not pairs:
        raise InputError(
            f"{names[0]!r} and {names[1]!r} have no subject in common: the first has {_listed(only_first)},"
            f" the second {_listed(only_second)}; measure the same models, devices, threads and batches"
        )
    return Comparison(
        first=names[0],
        second=names[1],
        subjects=tuple(_compared(a, b, (*_disturbances(first), *_disturbances(second))) for a, b in pairs),
        only_first=tuple(subject.label for subject in only_first),
        only_second=tuple(subject.label for subject in only_second),
        notes=(*_notes_on_runs(first, second, names), *_notes_on_pairs(pairs)),
    )


def slower_than(comparison: Comparison, share: float) -> tuple[SubjectComparison, ...]:
    """The subjects that take longer by more than ``share``, all of the interval being above it, comparable or not."""
    return tuple(subject for subject in comparison.subjects if subject.speedup.inverse().is_above(1 + share))


def _disturbances(report: BenchmarkReport) -> tuple[FindingKind, ...]:
    return tuple(finding.kind for finding in report.board.findings)


def _compared(a: SubjectReport, b: SubjectReport, disturbances: Sequence[FindingKind]) -> SubjectComparison:
    clock = a.samples.clock if a.samples.clock is b.samples.clock else Clock.WALL
    speedup = ratio_of_medians([a.samples.round_means(clock)], [b.samples.round_means(clock)], paired=False)
    harmless = (FindingKind.SHARED_CPU,) if clock is Clock.CPU else ()
    if not speedup.differs:
        verdict = Difference.NOT_SHOWN
    elif any(kind not in harmless for kind in disturbances):
        verdict = Difference.NOT_COMPARABLE
    else:
        verdict = Difference.FASTER if speedup.value > 1 else Difference.SLOWER
    return SubjectComparison(
        label=a.label if a.label == b.label else f"{a.label} / {b.label}",
        first_p50_ms=a.latency.p50_ms,
        second_p50_ms=b.latency.p50_ms,
        speedup=speedup,
        ratio=speedup.inverse(),
        clock=clock,
        verdict=verdict,
    )


def _matched(
    first: Sequence[SubjectReport], second: Sequence[SubjectReport]
) -> tuple[list[tuple[SubjectReport, SubjectReport]], list[SubjectReport], list[SubjectReport]]:
    if len(first) == len(second) == 1:
        return [(first[0], second[0])], [], []
    pairs, only_first, left = [], [], list(second)
    for subject in first:
        # The same subject may be there twice: the first of both belong together.
        partner = next((other for other in left if other.label == subject.label), None)
        if partner is None:
            only_first.append(subject)
        else:
            left.remove(partner)
            pairs.append((subject, partner))
    return pairs, only_first, left


def _notes_on_runs(first: BenchmarkReport, second: BenchmarkReport, names: tuple[str, str]) -> list[str]:
    facts: tuple[tuple[str, Callable[[BenchmarkReport], object]], ...] = (
        ("processor", lambda r: r.machine.processor),
        ("cores", lambda r: r.machine.cores),
        ("system", lambda r: r.machine.system),
        ("board", lambda r: r.board.board),
        ("power mode", lambda r: r.board.power_mode),
        ("clocks locked", lambda r: r.board.clocks_locked),
        ("governors", lambda r: ", ".join(r.board.before.governors) or None),
        ("edgevision", lambda r: r.version),
    )
    notes = [
        f"{what} differs: {fact(first)} in {names[0]}, {fact(second)} in {names[1]}"
        for what, fact in facts
        if fact(first) != fact(second)
    ]
    if first.created != second.created:
        # Nothing in a report shows that a host was slower for all its guests.
        notes.append(
            "measured at different times, so that the ratio holds for these two runs and what the machine did in them;"
            " edgevision bench with both models measures them in one run"
        )
    for report, name in zip((first, second), names, strict=True):
        notes += [f"{name} is unreliable, {finding.kind}: {finding.message}" for finding in report.board.findings]
    return notes


def _notes_on_pairs(pairs: Sequence[tuple[SubjectReport, SubjectReport]]) -> list[str]:
    """What differs within the pairs; what does so alike in several is said once."""
    facts: tuple[tuple[str, Callable[[SubjectReport], object]], ...] = (
        ("model", lambda s: s.name),
        ("precision", lambda s: s.precision),
        ("contents of the file", lambda s: s.sha256[:12]),
        ("engine", lambda s: s.engine),
        ("provider", lambda s: s.provider),
        ("device", lambda s: s.device),
        ("threads", lambda s: s.threads or "all"),
        ("batch", lambda s: s.batch),
        ("shapes", lambda s: {name: "x".join(map(str, shape)) for name, shape in s.shapes.items()}),
        ("nodes", lambda s: str(s.assignment)),
        ("steady state after the warm-up", lambda s: "yes" if s.warmup.steady else "no"),
    )
    labels: dict[str, list[str]] = {}
    for a, b in pairs:
        for what, fact in facts:
            if fact(a) != fact(b):
                labels.setdefault(f"{what} differs: {fact(a)} / {fact(b)}", []).append(a.label)
    return [
        f"{'all' if len(pairs) == len(same) > 1 else '; '.join(same)}: {difference}"
        for difference, same in labels.items()
    ]


def _listed(subjects: Sequence[SubjectReport]) -> str:
    return "; ".join(subject.label for subject in subjects) or "nothing"
