"""Carrying a verb's command line out on boards, and showing what came of it as the verb itself would."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any

from edgevision.cli.output import echo, print_json
from edgevision.core.errors import DeviceError, EdgevisionError, InputError, PartialFailureError
from edgevision.core.printable import csv_row, printable
from edgevision.runtime.commands.command_words import command_words
from edgevision.runtime.commands.documents import check_document, parse_document
from edgevision.runtime.commands.on_boards import Boards
from edgevision.runtime.commands.packing import FOLDERS, Freight, pack
from edgevision.runtime.devices.backends import find_backends
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.job import Job
from edgevision.runtime.remote.run_job import JobResult, Needs, on_each, run_job
from edgevision.runtime.remote.wheel import own_wheel


def carry_out(words: str, parameters: Sequence[Parameter], values: Mapping[str, Any], boards: Boards) -> None:
    """Run the verb called by ``words`` on every board and print its report, or every board's under its name.

    Raises:
        InputError: several boards for a verb that writes files.
        PartialFailureError: some boards failed, the others were reported.
        EdgevisionError: all failed, or edgevision ended on a board with an error, which is then this one.
    """
    freight = pack(words, values)
    hosts = boards.hosts
    if freight.bring and len(hosts) > 1:
        raise InputError(f"edgevision {words} writes files, so it runs on one board; --on was given {len(hosts)}")
    if freight.values.get("inputs") == []:  # nothing was left to do
        if values["as_json"]:
            print_json({"results": [], "failures": []} | freight.amended)
        return
    results = run_freight(words, parameters, freight, boards)
    documents: list[dict[str, Any]] = []
    failures: list[tuple[str, EdgevisionError]] = []
    for host, result in zip(hosts, results, strict=True):
        try:
            if isinstance(result, EdgevisionError):
                raise result
            if values.get("as_json"):
                documents.append(_document(words, result, freight))
            else:
                _print_text(result, freight, alone=len(hosts) == 1)
            _check(result, freight)
        except EdgevisionError as error:
            failures.append((host, error))
    if values.get("as_json"):
        _print_documents(documents, failures, len(hosts))
    end_with_boards(failures, len(hosts))


def run_freight(
    words: str, parameters: Sequence[Parameter], freight: Freight, boards: Boards
) -> list[JobResult | EdgevisionError]:
    """Run the verb with its freight on every board; the error of each that failed in its place."""
    device = freight.values.get("device", "cpu")
    devices = [device] if isinstance(device, str) else list(device)
    for name in devices:
        if name != "auto":
            find_backends(name)  # a name that is none is said before anything is copied
    needs = Needs(own_wheel(), freight.formats, devices, boards.wheelhouse)
    job = Job((*boards.options, *words.split(), *command_words(parameters, freight.values)), freight.files, FOLDERS)

    force = bool(freight.values.get("force") or freight.values.get("resume"))

    def work(board: Board) -> JobResult:
        board.translate = freight.in_users_names
        return run_job(board, job, needs, bring=freight.bring, checks=freight.checks, force=force)

    return on_each(boards.hosts, work)


def end_with_boards(failures: Sequence[tuple[str, EdgevisionError]], total: int) -> None:
    """Raise the error of the only board, or name every board that failed and raise :class:`PartialFailureError`.

    Where all failed, the first one's error decides how the command ends; without failures nothing happens.
    """
    if not failures:
        return
    if total > 1:
        for word, error in failures:
            echo(f"failed: {word}: {error}", err=True)
        if len(failures) < total:
            raise PartialFailureError(f"{len(failures)} of {total} boards failed, the others were done")
    raise failures[0][1]


def _document(words: str, result: JobResult, freight: Freight) -> dict[str, Any]:
    host = {"host": result.word}  # the first key, and not the board's to change
    found = parse_document(result)
    check_document(words, found, result, freight)
    if result.brought.refused:
        found["results"] = [item for item in found.get("results", ()) if item["output"] not in result.brought.refused]
    document: dict[str, Any] = _translated(found, freight.in_users_names)
    return host | document | freight.amended | host


def _print_documents(
    documents: Sequence[dict[str, Any]], failures: Sequence[tuple[str, EdgevisionError]], boards: int
) -> None:
    if boards == 1 and documents:
        print_json(documents[0])
    elif boards > 1:
        print_json({"boards": documents, "failures": [{"host": w, "error": str(e)} for w, e in failures]})


def _print_text(result: JobResult, freight: Freight, *, alone: bool) -> None:
    if not alone:
        echo(f"{result.word}:")
    lines = printable(result.output).splitlines()
    if freight.values.get("as_csv"):
        lines = _safe_csv(lines)
    for line in lines:
        # A name alone says that it wrote what did not come.
        if line not in freight.bring or line in result.brought.written:
            echo(freight.in_users_names(line))


def _safe_csv(lines: Sequence[str]) -> list[str]:
    """Lines of CSV in which no cell is a formula."""
    safe = io.StringIO()
    try:
        csv.writer(safe, lineterminator="\n").writerows(map(csv_row, csv.reader(lines)))
    except csv.Error as error:
        raise DeviceError(f"the board sent what is no CSV: {error}") from error
    return safe.getvalue().splitlines()


def _translated(value: Any, translate: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return translate(value)
    if isinstance(value, dict):
        return {key: _translated(item, translate) for key, item in value.items()}
    return [_translated(item, translate) for item in value] if isinstance(value, list) else value


def _check(result: JobResult, freight: Freight) -> None:
    refused = [
        f"what {result.word!r} sent as {freight.shown[name]!r} is not taken: {reason}; check its disk, and run again"
        for name, reason in result.brought.refused.items()
    ]
    if len(refused) > 1:
        for message in refused:
            echo(f"failed: {message}", err=True)
        raise DeviceError(f"{len(refused)} of {len(freight.bring)} files that {result.word!r} sent are not taken")
    if refused:
        raise DeviceError(refused[0])
    result.raise_for_code()
    lacking = [freight.shown[name] for name in freight.bring if name not in result.brought.written]
    if lacking:
        raise EdgevisionError(f"{result.word!r} did not deliver {lacking[0]!r} and said nothing of it; run again")
