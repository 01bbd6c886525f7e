"""A measurement as text: a block of lines for one subject, a table for several."""

from collections.abc import Iterable, Sequence

from edgevision.core.printable import shown
from edgevision.runtime.benchmark.operators import OperatorProfile
from edgevision.runtime.benchmark.report import BenchmarkReport, MeasuredRun, SubjectReport, threads_words
from edgevision.runtime.benchmark.statistics import Estimate, Ratio
from edgevision.runtime.benchmark.timing import Clock

FIGURES = ("p90", "p99", "mean", "cv", "pictures/s")
"""Columns of a table of subjects."""

_OPERATORS = 12


def report_text(report: BenchmarkReport) -> str:
    """Everything that was found but for the samples and the readings."""
    report = shown(report)
    subjects = report.subjects
    lines = _one(report, subjects[0]) if len(subjects) == 1 else _several(report)
    for subject in subjects:
        if subject.operators is not None:
            lines += ["", f"operators of {subject.label}", *_operators(subject.operators)]
    return "\n".join([*lines, *unreliable_lines(report)])


def unreliable_lines(report: MeasuredRun) -> list[str]:
    """What makes the figures doubtful, a line for each."""
    return [f"{'UNRELIABLE':<11} {finding.kind}: {finding.message}" for finding in report.board.findings]


def _one(report: BenchmarkReport, s: SubjectReport) -> list[str]:
    model, ran_on, *rest = subject_lines(report, s)
    return aligned([model, ran_on, *circumstances(report), *rest])


def subject_lines(report: BenchmarkReport, s: SubjectReport) -> list[tuple[str, str]]:
    """Everything about one subject as (name, words); a name that is empty goes on with the one before."""
    figures = s.latency
    return [
        ("model", f"{s.name}{f', {s.precision}' if s.precision else ''}, {_shapes(s)}"),
        ("ran on", f"{s.device} ({s.provider}), {s.engine}, {threads_words(s.threads)}: {s.assignment}"),
        ("load", f"{s.load_ms:.1f} ms, first inference {s.first_ms:.2f} ms"),
        ("warm-up", f"{_warm_up(s)}, not counted"),
        ("latency", f"p50 {ms_words(figures.p50_ms)}"),
        ("", f"p90 {ms_words(figures.p90_ms)}   p95 {ms_words(figures.p95_ms)}"),
        ("", f"p99 {ms_words(figures.p99_ms)}"),
        ("", f"mean {ms_words(figures.mean_ms)}, from {figures.min_ms:.3f} to {figures.max_ms:.3f} ms"),
        ("", f"standard deviation {figures.std_ms:.3f} ms, {100 * figures.cv:.1f} % of the mean"),
        ("samples", f"{figures.runs} runs in {report.rounds} rounds; {_outliers(s)}"),
        ("throughput", f"{s.throughput:.1f} pictures/s at batch {s.batch}"),
        *_extras(s),
        ("memory", _memory(report, s)),
    ]


def _several(report: BenchmarkReport) -> list[str]:
    names = _distinguishing_names(report.subjects)
    by = clock_words(report.subjects[0].samples.clock)
    rows: list[tuple[str, ...]] = [("", "p50 ms (95 %)", *FIGURES, "MB", f"times as fast as the first, by {by} (95 %)")]
    for name, s in zip(names, report.subjects, strict=True):
        rows.append(
            (
                name,
                ms_words(s.latency.p50_ms, ""),
                *figure_cells(s),
                "" if s.memory is None else f"{s.memory.steady_mb:.0f}",
                ratio_words(s.speedup) if s.speedup else "1",
            )
        )
    lines = columns(rows)
    notes = [*circumstances(report), ("measured", f"interleaved, {report.rounds} rounds, {report.seconds:.1f} s")]
    # What all have in common is said once.
    common = [words for words in _setting(report.subjects[0]) if all(words in _setting(s) for s in report.subjects)]
    notes += [("all", "; ".join(common))] if common else []
    for name, s in zip(names, report.subjects, strict=True):
        own = "; ".join(words for words in _setting(s) if words not in common)
        notes += [(name, own)] if own else []
        notes.append(
            (
                "" if own else name,
                f"load {s.load_ms:.1f} ms, first inference {s.first_ms:.2f} ms, warm-up {_warm_up(s)}",
            )
        )
        notes.append(("", f"{s.latency.runs} runs; {_outliers(s)}"))
        notes += _extras(s)
    return [*lines, "", *aligned(notes)]


def _setting(s: SubjectReport) -> tuple[str, ...]:
    return (s.engine, str(s.assignment), _shapes(s))


def figure_cells(s: SubjectReport) -> tuple[str, ...]:
    """What stands under :data:`FIGURES`."""
    latency = s.latency
    times = (latency.p90_ms, latency.p99_ms, latency.mean_ms)
    return (*(f"{time.value:.3f}" for time in times), f"{100 * latency.cv:.1f} %", f"{s.throughput:.1f}")


def ratio_words(ratio: Ratio) -> str:
    """The ratio with its interval, or that there is no telling it from 1."""
    interval, *verdict = ratio_verdict(ratio)
    return ", ".join([f"{ratio.value:.3f} ({interval})", *verdict])


def clock_words(clock: Clock) -> str:
    """What a ratio is of."""
    return "CPU time" if clock is Clock.CPU else "the clock"


def ratio_verdict(ratio: Ratio) -> list[str]:
    """The interval in words and, where the ratio cannot be told from 1, that it cannot."""
    known = ratio.low is not None and ratio.high is not None
    interval = f"{ratio.low:.3f} to {ratio.high:.3f}" if known else "too few samples for an interval"
    return [interval] if ratio.differs else [interval, "no difference shown"]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Pairs of name and words as lines, the words below one another."""
    rows = list(rows)
    width = max(11, *(len(name) for name, _ in rows))
    return [f"{name:<{width}} {value}" for name, value in rows]


def circumstances(report: MeasuredRun) -> list[tuple[str, str]]:
    """The machine and the state of the board as (name, words)."""
    machine, board = report.machine, report.board
    rows = [("machine", f"{machine.processor_and_cores}, load {report.load_average or 0:.1f}")]
    known = [
        *([f"governor {', '.join(board.before.governors)}"] if board.before.governors else []),
        *([f"power mode {board.power_mode}"] if board.power_mode else []),
        *([f"clocks {'locked' if board.clocks_locked else 'not locked'}"] if board.clocks_locked is not None else []),
        *([f"hottest {max(heat):.1f} °C"] if (heat := _temperatures(report)) else []),
        *([f"{board.mean_power_w:.2f} W of {board.power_covers}"] if board.mean_power_w is not None else []),
    ]
    return [*rows, ("board", ", ".join(known))] if known else rows


def _temperatures(report: MeasuredRun) -> list[float]:
    return [celsius for reading in report.board.readings for celsius in reading.temperatures.values()]


def _extras(s: SubjectReport) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if s.streams is not None:
        several = s.streams
        rows.append(
            (
                "",
                f"{several.throughput:.1f} pictures/s in {several.streams} streams of"
                f" {threads_words(several.threads_each)},"
                f" p50 {ms_words(several.p50_ms)}",
            )
        )
    if s.end_to_end is not None:
        e = s.end_to_end
        stages = (("decode", e.decode_ms), ("preprocess", e.preprocess_ms), ("infer", e.infer_ms))
        shown = ", ".join(f"{name} {stage.value:.3f}" for name, stage in (*stages, ("postprocess", e.postprocess_ms)))
        rows.append(("end to end", f"p50 {ms_words(e.total_ms)}: {shown} ms"))
        rows.append(("", f"{e.runs} times through the pipeline, pictures: {e.pictures}"))
    if s.energy_mj is not None:
        rows.append(("energy", f"{s.energy_mj:.2f} mJ an inference"))
    if s.denormal_share:
        share = f"{100 * s.denormal_share:.1f} %" if s.denormal_share >= 0.001 else "less than 0.1 %"
        rows.append(("weights", f"{share} are denormal numbers, which many CPUs compute with up to 50 times slower"))
        rows.append(
            (
                "",
                "where they are not taken for zero; `edgevision export` of its ONNX file or checkpoint makes them zero",
            )
        )
    return rows


def _operators(profile: OperatorProfile) -> list[str]:
    rows = [("share", "us", "operator", "GFLOP/s", "of peak", "GB/s", "bound", "name")]
    slowest = sorted(profile.operators, key=lambda operator: -operator.microseconds)
    for o in slowest[:_OPERATORS]:
        speed = "" if not o.gflops else f"{o.gflops:.1f}"
        part = "" if not o.operations or o.peak_share is None else f"{100 * o.peak_share:.1f} %"
        moved = "" if o.gb_per_s is None else f"{o.gb_per_s:.1f}"
        rows.append(
            (f"{100 * o.share:.1f} %", f"{o.microseconds:.0f}", o.operator, speed, part, moved, o.bound or "", o.name)
        )
    left = slowest[_OPERATORS:]
    lines = columns(rows)
    if left:
        lines.append(f"and {len(left)} more, {100 * sum(o.share for o in left):.1f} %")
    moving = "" if profile.peak.gb_per_s is None else f" and {profile.peak.gb_per_s:.1f} GB/s"
    lines.append(f"peak measured here: {profile.peak.gflops:.1f} GFLOP/s in fp32{moving}")
    lines.append("nodes: " + ", ".join(f"{count} {kind}" for kind, count in profile.nodes.items()))
    return lines


def _distinguishing_names(subjects: Sequence[SubjectReport]) -> list[str]:
    """What differs between the subjects of a run."""
    facts = [
        (
            s.name,
            s.device,
            threads_words(s.threads),
            f"batch {s.batch}",
        )
        for s in subjects
    ]
    differing = [i for i in range(4) if len({fact[i] for fact in facts}) > 1] or [0]
    names = [", ".join(fact[i] for i in differing) for fact in facts]
    # The same model may be named twice, to see how much chance there is in a measurement.
    return names if len(set(names)) == len(names) else [f"{i}: {name}" for i, name in enumerate(names, start=1)]


def ms_words(estimate: Estimate, unit: str = " ms") -> str:
    """Milliseconds with their interval."""
    if estimate.low is None and estimate.high is None:
        return f"{estimate.value:.3f}{unit} (too few samples for an interval)"
    return f"{estimate.value:.3f}{unit} ({interval_words(estimate)})"


def interval_words(estimate: Estimate) -> str:
    """The 95 % interval, with a question mark for an end that too few samples do not bound."""
    low, high = ("?" if end is None else f"{end:.3f}" for end in (estimate.low, estimate.high))
    return f"{low} to {high}"


def _shapes(s: SubjectReport) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in s.shapes.items())


def _warm_up(s: SubjectReport) -> str:
    state = "steady state" if s.warmup.steady else "steady state NOT reached"
    return f"{s.warmup.runs} runs, {s.warmup.seconds:.1f} s, {state}"


def _outliers(s: SubjectReport) -> str:
    count = s.latency.outliers
    return f"{count} outlier{'s' * (count != 1)} above {s.latency.fence_ms:.3f} ms, all of them in the figures"


def _memory(report: BenchmarkReport, s: SubjectReport) -> str:
    process = "unknown" if report.peak_memory_mb is None else f"{report.peak_memory_mb:.0f} MB, the whole process"
    if s.memory is None:
        return process
    peak = "" if s.memory.peak_mb is None else f", {s.memory.peak_mb:.0f} MB at its peak"
    return f"{s.memory.steady_mb:.0f} MB for the model and its engine{peak}; {process}"
