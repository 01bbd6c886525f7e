"""The files of a report: JSON that is read again, every sample as CSV, the page; and the refusal of unreliable ones."""

import csv as csv_format
import json
import math
from itertools import repeat
from pathlib import Path

import numpy as np

from edgevision.cli.output import REPORT_SCHEMA_VERSION
from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError, MeasurementError
from edgevision.core.installation import upgrade_command
from edgevision.core.printable import csv_row, exact_json
from edgevision.core.regular_files import read_text_file
from edgevision.runtime.benchmark.report import BenchmarkReport, MeasuredRun, Samples
from edgevision.runtime.benchmark.stream_report import StreamReport

# A picosecond, and eleven days: what lies beyond was not measured, and ratios of it overflow.
_SHORTEST_MS, _LONGEST_MS = 1e-9, 1e9


def write_files(
    report: BenchmarkReport,
    *,
    output: Path | None = None,
    csv: Path | None = None,
    html: Path | None = None,
    force: bool = True,
) -> None:
    """Write those that are asked for: the report as JSON, every sample as CSV, a page with plots.

    Raises:
        OutputError: one cannot be written, or without ``force`` exists.
    """
    if output is not None:
        write_report(output, report, force=force)
    if csv is not None:
        write_samples(csv, report, force=force)
    if html is not None:
        from edgevision.runtime.benchmark.page import write_page

        write_page(html, report, force=force)


def write_stream_files(
    report: StreamReport,
    *,
    output: Path | None = None,
    csv: Path | None = None,
    html: Path | None = None,
    force: bool = True,
) -> None:
    """As :func:`write_files`, of a stream: the CSV has a row for each frame."""
    if output is not None:
        write_report(output, report, force=force)
    if csv is not None:
        with atomic_file(csv, force=force) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv_format.writer(file, lineterminator="\n").writerows(report.samples.rows())
    if html is not None:
        from edgevision.runtime.benchmark.stream_page import write_stream_page

        write_stream_page(html, report, force=force)


def refuse_unreliable(report: MeasuredRun) -> None:
    """Fail where the board's state makes the figures doubtful.

    Raises:
        MeasurementError: the run is unreliable; it names what happened first.
    """
    findings = report.board.findings
    if findings:
        others = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise MeasurementError(
            f"--strict: the run is unreliable, {findings[0].kind}: {findings[0].message}{others};"
            " mend that and measure again"
        )


def write_report(path: Path, report: MeasuredRun, *, force: bool = True) -> None:
    """Write the document to ``path``, all of it or nothing; without ``force`` only where there is no file."""
    with atomic_file(path, force=force) as temporary:
        text = exact_json(report.to_document(), allow_nan=False, separators=(",", ":"))
        temporary.write_text(text + "\n", encoding="utf-8")


def write_samples(path: Path, report: BenchmarkReport, *, force: bool = True) -> None:
    """One row for each inference: subject, its number, the round, its beginning in seconds, its duration in ms."""
    with atomic_file(path, force=force) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv_format.writer(file, lineterminator="\n")
        writer.writerow(["subject", "index", "round", "start_s", "ms"])
        for subject in report.subjects:
            samples = subject.samples
            rounds = np.repeat(np.arange(len(samples.rounds)), samples.rounds).tolist()
            indices = range(len(samples.ms))
            label = csv_row([subject.label])[0]
            writer.writerows(zip(repeat(label), indices, rounds, samples.start_s, samples.ms))


def read_report(path: Path) -> BenchmarkReport:
    """Read what :func:`write_report` or ``bench --json`` wrote.

    Raises:
        InputError: no such file, not a report, or one of a release newer than this.
    """
    name = str(path)
    try:
        document = json.loads(read_text_file(path, "the report"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it is not JSON ({error})") from error
    return parse_report(document, name)


def parse_report(document: object, name: str) -> BenchmarkReport:
    """The report in a decoded JSON document; raises as :func:`read_report`, naming the file ``name``."""
    version = document.pop("schema_version", None) if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it has no schema_version")
    if version > REPORT_SCHEMA_VERSION:
        raise InputError(
            f"{name!r} is a report of schema {version}, this release reads up to {REPORT_SCHEMA_VERSION}:"
            f" {upgrade_command()}"
        )
    if isinstance(document, dict) and document.get("kind") == "stream":
        raise InputError(
            f"{name!r} is of bench --stream; what a camera showed once cannot be compared with another time"
        )
    try:
        report = BenchmarkReport.from_dict(document, "report")
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{name!r} is no report of `edgevision bench`: {error}") from error
    if not report.subjects:
        raise InputError(f"{name!r} is no report of `edgevision bench`: it has no subjects")
    for subject in report.subjects:
        if not _fit_together(subject.samples):
            raise InputError(f"{name!r} is damaged: the samples of {subject.name!r} do not fit together")
    return report


def _fit_together(samples: Samples) -> bool:
    count = len(samples.ms)
    lengths = count == len(samples.start_s) == sum(samples.rounds) and min(samples.rounds, default=0) > 0
    computed = samples.cpu_ms or ()
    lengths = lengths and (samples.cpu_ms is None or len(computed) == len(samples.rounds))
    plausible = all(_SHORTEST_MS <= ms <= _LONGEST_MS for ms in (*samples.ms, *computed))
    return lengths and plausible and all(map(math.isfinite, samples.start_s))
