"""The JSON documents that boards print: nothing in one is shown, or decides anything, before it passed.

What a verb's document has to be, the verb's own function says, with these parts.
"""

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from edgevision.core.errors import DeviceError
from edgevision.core.printable import printable, printable_values
from edgevision.core.records import Record, record
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.run_job import JobResult

_DEEPEST = 32
_LARGEST_INTEGER = 2**63


@record
class RunDocument(Record):
    """What is said of every run of a model."""

    model: str
    name: str
    device: str
    engine: str
    nodes: Mapping[str, Any]


@record
class OutputsDocument(RunDocument):
    """What is said by a verb that lists the files it wrote."""

    seconds: float
    outputs: tuple[str, ...]


@record
class FailedInput(Record):
    """An input that failed, and why."""

    input: str
    error: str


def parse_document(result: JobResult) -> dict[str, Any]:
    """The JSON document that a board printed, with nothing in it that a terminal could take for a command.

    Raises:
        DeviceError: what came is no such document, or nests or counts beyond what any of ours does.
    """
    return _parsed(result.output, result)


def parse_lines(result: JobResult) -> list[dict[str, Any]]:
    """As :func:`parse_document`, of a verb that prints a document a line."""
    return [_parsed(line, result) for line in result.output.splitlines()]


def _parsed(text: str, result: JobResult) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_parse_float, parse_int=_parse_integer)
        _check_depth(document)
    except (ValueError, RecursionError) as error:
        result.raise_for_code()
        raise DeviceError(f"{result.host!r} sent what is no JSON document: {printable(str(error))[:100]}") from error
    if not isinstance(document, dict):
        raise DeviceError(f"{result.host!r} sent a document that is no object")
    return dict(printable_values(document))


Printed = TypeVar("Printed")


def checked(printed: Printed, verb: str, result: JobResult, read: Callable[[Printed, Fetched], Printed]) -> Printed:
    """What ``read`` gives for a document or lines of them.

    Raises:
        DeviceError: they are none of the verb, about what was sent.
    """
    try:
        return read(printed, result.fetched)
    except (ValueError, RecursionError) as error:
        raise DeviceError(
            f"{result.host!r} sent what edgevision {verb} does not print: {printable(str(error))[:200]}"
        ) from error


def read_outputs_document(document: dict[str, Any], fetched: Fetched, *, known: Collection[str]) -> dict[str, Any]:
    """An :class:`OutputsDocument` about outputs that are ``known``, without those that were refused.

    Raises:
        ValueError: it is none.
    """
    check_names(OutputsDocument.from_dict(document, "document").outputs, known)
    return document | {"outputs": [name for name in document["outputs"] if name not in fetched.refused]}


def check_names(named: Iterable[str], known: Iterable[str], *, all_of_them: bool = False) -> None:
    """Raise ValueError where a board names, twice or at all, what is not ``known``, or leaves some of it out."""
    named, known = list(named), set(known)
    for name in named:
        if name not in known:
            raise ValueError(f"{name!r:.60} was not asked for")
    if len(set(named)) < len(named):
        raise ValueError("a name comes twice")
    if all_of_them and len(named) < len(known):
        raise ValueError(f"{min(known.difference(named))!r} is left out")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(_DEEPEST):
        level = [
            item
            for value in level
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError(f"it nests deeper than {_DEEPEST}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is no number that was measured")
    return number


def _parse_integer(text: str) -> int:
    number = int(text)
    if abs(number) >= _LARGEST_INTEGER:
        raise ValueError(f"{text:.20} is no number that was counted")
    return number
