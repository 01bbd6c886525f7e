"""The files a measurement is written to, and the refusal of one that is not to be trusted."""

from pathlib import Path

from edgevision.core.errors import MeasurementError
from edgevision.runtime.benchmark.report import BenchmarkReport


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
        report.write(output, force=force)
    if csv is not None:
        from edgevision.runtime.benchmark.samples_table import write_samples

        write_samples(csv, report, force=force)
    if html is not None:
        from edgevision.runtime.benchmark.page import write_page

        write_page(html, report, force=force)


def refuse_unreliable(report: BenchmarkReport) -> None:
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
