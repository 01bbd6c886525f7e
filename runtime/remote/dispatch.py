"""Running a verb's command line on boards, and showing what came of it as the verb itself would."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from edgevision.cli.output import echo, print_json
from edgevision.core.errors import DeviceError, EdgevisionError, InputError, PartialFailureError
from edgevision.core.printable import csv_row, exact_json, printable
from edgevision.modelfiles.signature_policy import required_key
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.documents import checked, parse_document, parse_lines
from edgevision.runtime.remote.environment import own_setup
from edgevision.runtime.remote.job import Fetched, Job
from edgevision.runtime.remote.on_boards import Boards
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.remote.run_job import JobResult, run_job, run_on_each


def dispatch(command: RemoteCommand, boards: Boards) -> None:
    """Run the command on every board and print its report, or every board's under its name.

    Raises:
        InputError: several boards for a verb that writes files.
        PartialFailureError: some boards failed, the others were reported.
        EdgevisionError: all failed, or edgevision ended on a board with an error, which is then this one.
    """
    hosts, as_json = boards.hosts, bool(command.values.get("as_json"))
    if command.outputs and len(hosts) > 1:
        raise InputError(
            f"edgevision {command.verb} writes files, so it runs on one board; --on was given {len(hosts)}"
        )
    if command.answer is not None:
        if as_json:
            print_json(command.answer)
        return
    documents: list[dict[str, Any]] = []
    failures: list[tuple[str, EdgevisionError]] = []
    for host, result in zip(hosts, run_on_boards(command, boards), strict=True):
        try:
            if isinstance(result, EdgevisionError):
                raise result
            if as_json and command.read_lines is not None:
                _print_lines(command, result, command.read_lines)
            elif as_json:
                documents.append(_document(command, result))
            else:
                _print_text(command, result, alone=len(hosts) == 1)
            _raise_for_outputs(command, result)
        except EdgevisionError as error:
            failures.append((host, error))
    if as_json and command.read_lines is None:
        _print_documents(documents, failures, len(hosts))
    raise_failures(failures, len(hosts))


def run_on_boards(command: RemoteCommand, boards: Boards) -> list[JobResult | EdgevisionError]:
    """Run the command on every board at once; the error of each that failed in its place."""
    # Where none is named a board measures in whatever it has for its CPU, and one engine is enough for that.
    device = command.values.get("device") or "cpu"
    options, key = boards.options, required_key()
    if key is not None:
        options = (*options, f"--require-signature={command.send_file('key', 1, PictureInput(str(key), key))}")
    setup = own_setup(
        command.model_formats,
        [device] if isinstance(device, str) else list(device),
        boards.wheelhouse,
        more=tuple(sorted({*command.extras, *(() if key is None else ("sign",))})),
    )
    job = Job((*options, *command.command_line()), command.inputs, command.folders, command.outputs)

    def work(board: Board) -> JobResult:
        board.translate = command.in_user_names
        return run_job(board, job, setup)

    return run_on_each(boards.hosts, work)


def raise_failures(failures: Sequence[tuple[str, EdgevisionError]], total: int) -> None:
    """Raise the error of the only board, or name every board that failed and raise :class:`PartialFailureError`.

    Where all failed, the first one's error decides how the command ends; without failures nothing happens.
    """
    if not failures:
        return
    if total > 1:
        for host, error in failures:
            echo(f"failed: {host}: {error}", err=True)
        if len(failures) < total:
            raise PartialFailureError(f"{len(failures)} of {total} boards failed, the others were done")
    raise failures[0][1]


def _document(command: RemoteCommand, result: JobResult) -> dict[str, Any]:
    found = checked(parse_document(result), command.verb, result, command.read_document)
    return _under_its_host(command, result, found)


def _print_lines(
    command: RemoteCommand,
    result: JobResult,
    read: Callable[[Sequence[dict[str, Any]], Fetched], Sequence[dict[str, Any]]],
) -> None:
    lines: Sequence[dict[str, Any]] = parse_lines(result)
    if not lines:
        result.raise_for_code()
    for line in checked(lines, command.verb, result, read):
        echo(exact_json(_under_its_host(command, result, line)))


def _under_its_host(command: RemoteCommand, result: JobResult, document: dict[str, Any]) -> dict[str, Any]:
    host = {"host": result.host}  # the first key, and not the board's to change
    translated: dict[str, Any] = _translated(document, command.in_user_names)
    return host | translated | host


def _print_documents(
    documents: Sequence[dict[str, Any]], failures: Sequence[tuple[str, EdgevisionError]], boards: int
) -> None:
    if boards == 1 and documents:
        print_json(documents[0])
    elif boards > 1:
        print_json({"boards": documents, "failures": [{"host": h, "error": str(e)} for h, e in failures]})


def _print_text(command: RemoteCommand, result: JobResult, *, alone: bool) -> None:
    if not alone:
        echo(f"{result.host}:")
    lines = printable(result.output).splitlines()
    if command.values.get("as_csv"):
        lines = _safe_csv(lines)
    for line in lines:
        # A name alone says that it wrote what did not come.
        if line not in command.outputs or line in result.fetched.written:
            echo(command.in_user_names(line))


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


def _raise_for_outputs(command: RemoteCommand, result: JobResult) -> None:
    """Raise where outputs are not taken or did not come, or what edgevision raised there."""
    names = command.user_names
    refused = [
        f"what {result.host!r} sent as {names[name]!r} is not taken: {reason}; check its disk, and run again"
        for name, reason in result.fetched.refused.items()
    ]
    if len(refused) > 1:
        for message in refused:
            echo(f"failed: {message}", err=True)
        raise DeviceError(f"{len(refused)} of {len(command.outputs)} files that {result.host!r} sent are not taken")
    if refused:
        raise DeviceError(refused[0])
    result.raise_for_code()
    lacking = [names[name] for name in command.outputs if name not in result.fetched.written]
    if lacking:
        raise EdgevisionError(f"{result.host!r} did not deliver {lacking[0]!r} and said nothing of it; run again")
