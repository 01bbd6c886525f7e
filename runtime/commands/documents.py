"""The JSON documents that boards print: what each verb's has to be, and that it speaks of what was sent.

Nothing in one is shown, or decides anything, before it passed.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.machine import Machine
from edgevision.core.printable import printable, printable_values
from edgevision.core.records import Record, record
from edgevision.runtime.commands.packing import Freight
from edgevision.runtime.devices.listing import DeviceReport
from edgevision.runtime.remote.run_job import JobResult

_DEEPEST = 32
_LARGEST_INTEGER = 2**63


@record
class _Devices(Record):
    machine: Machine
    devices: tuple[DeviceReport, ...]
    problems: tuple[str, ...]


@record
class _Ran(Record):
    """What is said of every run of a model."""

    model: str
    name: str
    device: str
    engine: str
    nodes: Mapping[str, Any]


@record
class _Failure(Record):
    input: str
    error: str


@record
class _Prediction(Record):
    label: str
    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability lies in 0..1, not {self.probability!r}")


@record
class _Classified(Record):
    input: str
    predictions: tuple[_Prediction, ...]


@record
class _Classification(_Ran):
    results: tuple[_Classified, ...]
    failures: tuple[_Failure, ...]


@record
class _Restored(Record):
    input: str
    output: str


@record
class _Restoration(_Ran):
    seconds: float
    results: tuple[_Restored, ...]
    failures: tuple[_Failure, ...]


@record
class _Drawn(_Ran):
    seconds: float
    outputs: tuple[str, ...]


_DOCUMENTS: Mapping[str, type[Record]] = {
    "devices": _Devices,
    "run classify": _Classification,
    "run inpaint": _Restoration,
    "run denoise": _Restoration,
    "run upscale": _Restoration,
    "run brighten": _Restoration,
    "run reconstruct": _Drawn,
    "run encode": _Drawn,
    "run generate": _Drawn,
}


def parse_document(result: JobResult) -> dict[str, Any]:
    """The JSON document that a board printed, with nothing in it that a terminal could take for a command.

    Raises:
        DeviceError: what came is no such document, or nests or counts beyond what any of ours does.
    """
    try:
        document = json.loads(result.output, parse_constant=_refuse, parse_float=_parse_float, parse_int=_parse_integer)
        _check_depth(document)
    except (ValueError, RecursionError) as error:
        result.raise_for_code()
        raise DeviceError(f"{result.word!r} sent what is no JSON document: {printable(str(error))[:100]}") from error
    if not isinstance(document, dict):
        raise DeviceError(f"{result.word!r} sent a document that is no object")
    return dict(printable_values(document))


def check_document(words: str, document: Mapping[str, Any], result: JobResult, freight: Freight) -> None:
    """Raise :class:`DeviceError` unless it is one of the verb called by ``words``, about what it was given."""
    try:
        read = _DOCUMENTS[words].from_dict(document, "document")
        if isinstance(read, _Classification | _Restoration):
            sent = [word for word in freight.values["inputs"] if word.startswith("in/")]
            _check_names([item.input for item in (*read.results, *read.failures)], sent, all_of_them=True)
        if isinstance(read, _Restoration):
            _check_names([item.output for item in read.results], result.brought.written | result.brought.refused.keys())
        if isinstance(read, _Drawn):
            _check_names(read.outputs, freight.bring)
    except (ValueError, RecursionError) as error:
        raise DeviceError(
            f"{result.word!r} sent what edgevision {words} does not print: {printable(str(error))[:200]}"
        ) from error


def _check_names(named: Iterable[str], known: Iterable[str], *, all_of_them: bool = False) -> None:
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
