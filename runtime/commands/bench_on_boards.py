"""``edgevision bench --on``: what boards measured, as one report, or in one table."""

import re
from collections.abc import Mapping
from pathlib import Path

from edgevision.cli.output import echo, print_json
from edgevision.core.atomic_files import check_all_writable
from edgevision.core.errors import DeviceError, EdgevisionError, InputError
from edgevision.core.printable import one_line, shown
from edgevision.modelfiles.model_file import model_hash
from edgevision.runtime.benchmark.report import BenchmarkReport
from edgevision.runtime.benchmark.report_files import parse_report, refuse_unreliable, write_files
from edgevision.runtime.benchmark.subject import distinct_names
from edgevision.runtime.benchmark.table import FIGURES, columns, figure_cells, interval_words, report_text
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.dispatch import raise_failures, run_on_boards
from edgevision.runtime.remote.documents import parse_document
from edgevision.runtime.remote.on_boards import Boards
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.remote.run_job import JobResult

FILES = ("output", "csv", "html")
"""The options that write a file, which is always written here."""


def bench_files(command: RemoteCommand) -> None:
    """Models and pictures to measure with; the report comes as JSON, and is judged and written here."""
    given = command.given
    if given["stream"] is not None:
        raise InputError(
            f"--stream {given['stream']!r} is measured where bench runs, and --on sends files alone; call bench on the"
            " board itself, over ssh, with edgevision[video] installed there"
        )
    models = enumerate(given["models"], start=1)
    command.values["models"] = [command.send_model(path, number) for number, path in models]
    pictures = enumerate(given["picture"] or (), start=1)
    command.values["picture"] = [command.send_file("in", number, PictureInput(str(p), p)) for number, p in pictures]
    command.values |= {"as_json": True, "strict": False, "force": False} | dict.fromkeys(FILES)


def bench_on_boards(command: RemoteCommand, boards: Boards) -> None:
    """Measure on every board at once; a file is written for each, with its name where there are several.

    Raises:
        PartialFailureError: some boards failed, the others were reported.
        EdgevisionError: all failed, or with ``--strict`` a run is unreliable.
    """
    given, hosts = command.given, boards.hosts
    targets = {
        host: {name: _for_board(given[name], host, alone=len(hosts) == 1) for name in FILES if given.get(name)}
        for host in hosts
    }
    check_all_writable([path for files in targets.values() for path in files.values()], force=given["force"])
    results = run_on_boards(command, boards)
    # What models of one name are called here, by what they are called there.
    names = dict(zip(distinct_names(command.values["models"]), distinct_names(given["models"]), strict=True))
    hashes = set(map(model_hash, given["models"]))
    reports: dict[str, BenchmarkReport] = {}
    failures: list[tuple[str, EdgevisionError]] = []
    for board, result in zip(hosts, results, strict=True):
        try:
            reports[board] = _report(result, names, hashes)
        except EdgevisionError as error:
            failures.append((board, error))
    # First, as what reads the terminal's text may have gone away.
    for board, report in reports.items():
        write_files(report, **targets[board], force=given["force"])
    _show(reports, failures, as_json=given["as_json"], alone=len(hosts) == 1)
    for board, report in reports.items():
        try:
            if given["strict"]:
                refuse_unreliable(report)
        except EdgevisionError as error:
            failures.append((board, error))
    raise_failures(failures, len(hosts))


def boards_text(reports: Mapping[str, BenchmarkReport]) -> str:
    """One table of every subject on every board, and under it what the boards are and what marks a run."""
    rows: list[tuple[str, ...]] = [("", "p50 ms (95 %)", *FIGURES)]
    reports = {one_line(board): shown(report) for board, report in reports.items()}
    notes = [""]
    for board, report in reports.items():
        machine = report.machine
        notes.append(f"{board}: {machine.processor_and_cores}, {machine.system}")
        notes += [f"{board}: UNRELIABLE {finding.kind}: {finding.message}" for finding in report.board.findings]
        for subject in report.subjects:
            median = subject.latency.p50_ms
            words = f"{median.value:.3f} ({interval_words(median)})"
            rows.append((f"{board}: {subject.label}", words, *figure_cells(subject)))
    return "\n".join([*columns(rows), *notes])


def _report(result: JobResult | EdgevisionError, names: Mapping[str, str], hashes: set[str]) -> BenchmarkReport:
    if isinstance(result, EdgevisionError):
        raise result
    result.raise_for_code()
    document = parse_document(result)
    try:
        report = parse_report(document | {"host": result.host}, result.host)
    except InputError as error:
        raise DeviceError(str(error)) from error
    for subject in report.subjects:
        if subject.sha256 not in hashes:
            raise DeviceError(f"{result.host!r} measured a model that was not sent, {subject.name!r:.60}")
    return report.updated(subjects=tuple(s.updated(name=names.get(s.name, s.name)) for s in report.subjects))


def _show(
    reports: Mapping[str, BenchmarkReport], failures: list[tuple[str, EdgevisionError]], *, as_json: bool, alone: bool
) -> None:
    if as_json and not alone:
        documents = [report.to_dict() for report in reports.values()]
        print_json({"boards": documents, "failures": [{"host": b, "error": str(e)} for b, e in failures]})
    elif as_json:
        for report in reports.values():
            print_json(report.to_dict())
    elif alone:
        for board, report in reports.items():
            echo(f"{'on':<11} {board}\n{report_text(report)}")
    elif reports:
        echo(boards_text(reports))


def _for_board(path: Path, board: str, *, alone: bool) -> Path:
    """``report.json`` for the only board, ``report-pi_board.json`` for ``pi@board`` of several."""
    return path if alone else path.with_stem(f"{path.stem}-{re.sub(r'[^A-Za-z0-9.-]+', '_', board)}")
