"""What a command prints, and how it ends."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from edgevision.cli.interruption import Terminated, exit_code
from edgevision.core.errors import InputError, PartialFailureError
from edgevision.core.printable import exact_json, one_line, printable
from edgevision.core.terminal import encodable, results, unguarded

REPORT_SCHEMA_VERSION = 1


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print for the user, safely whatever file the words come from: see :mod:`edgevision.core.terminal`."""
    stream = sys.stderr if err else results()
    if stream is None:  # closed by who started the program
        return
    stream.write(encodable(printable(str(text)), stream.encoding) + "\n" * nl)
    stream.flush()


def print_json(document: Mapping[str, Any]) -> None:
    """The one document of a ``--json`` call on standard output."""
    whole = json_report(document)
    ascii_only = not (getattr(results(), "encoding", None) or "").lower().startswith("utf")
    echo(exact_json(whole, ascii_only=ascii_only, indent=2, allow_nan=False))


def json_report(document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` as it is given to programs: with a ``schema_version``, and without what JSON cannot say."""
    report: dict[str, Any] = _finite({"schema_version": REPORT_SCHEMA_VERSION} | dict(document))
    return report


def _finite(value: Any) -> Any:
    """JSON has no infinity, as which the PSNR of equal pictures comes: ``null`` stands for it."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def end_with_failures(failures: Sequence[tuple[str, str]], total: int) -> None:
    """Name every (picture, message) that failed, and end with the exit code for it; nothing where none did.

    Raises:
        PartialFailureError: there were failures.
    """
    if failures and total == 1:
        raise PartialFailureError(failures[0][1])
    for _, message in failures:
        echo(f"failed: {one_line(message)}", err=True)
    if failures:
        rest = ", the others were done" if len(failures) < total else ""
        raise PartialFailureError(f"{len(failures)} of {total} pictures failed{rest}")


def end_interrupted(interrupt: KeyboardInterrupt) -> NoReturn:
    """End the program as a shell expects of one that Ctrl-C or a signal ended."""
    echo("terminated" if isinstance(interrupt, Terminated) else "interrupted", err=True)
    sys.exit(exit_code(interrupt))


def write_bytes(data: bytes) -> None:
    """A file as the result, on standard output; :class:`InputError` where that is a terminal."""
    stream = unguarded(results())
    if stream is None or stream.isatty():
        raise InputError("standard output is a terminal, which shows no picture; redirect it, or name a file with -o")
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()
