"""What running any model as it is sends to a board, and what comes back: files of arrays, or values in the report."""

import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgevision.core.errors import ImageError
from edgevision.core.records import Record, record
from edgevision.runtime.remote.documents import FailedInput, RunDocument, check_names
from edgevision.runtime.remote.job import Existing, Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.other.command import expand_sources, find_targets


@record
class _Result(Record):
    input: str
    output: str | None = None


@record
class _Document(RunDocument):
    seconds: float
    results: tuple[_Result, ...]
    failures: tuple[FailedInput, ...]


def other_files(command: RemoteCommand) -> None:
    """The model, arrays or pictures, and a file of arrays for each where ``-o`` asks for it."""
    given = command.given
    if given["model"] is not None:  # none ships, which the board says
        command.values["model"] = command.send_model(given["model"])
    sources = expand_sources(given["inputs"])
    sent = [command.send_file("in", number, source) for number, source in enumerate(sources, start=1)]
    command.values["inputs"] = sent
    existing: Existing = "replace" if given["force"] else "refuse"
    # How many outputs the model has is the board's to say.
    targets = find_targets(given["output"], sources, 1, force=given["force"])
    for number, target in enumerate(targets, start=1):
        if target is not None:
            name = command.fetch(f"out/{number:05d}{target.suffix}", target, check_arrays, existing)
            command.values["output"] = name if target == Path(given["output"]) else "out/"
    command.read_document = partial(_read_document, sent)


def _read_document(sent: Sequence[str], document: dict[str, Any], fetched: Fetched) -> dict[str, Any]:
    read = _Document.from_dict(document, "document")
    inputs = [*(item.input for item in read.results), *(item.input for item in read.failures)]
    check_names(inputs, sent, all_of_them=True)
    outputs = [item.output for item in read.results if item.output is not None]
    check_names(outputs, fetched.written | fetched.refused.keys())
    return document | {"results": [item for item in document["results"] if item.get("output") not in fetched.refused]}


def check_arrays(path: Path) -> None:
    """Refuse a file that is not NumPy's, of whole arrays of numbers and of nothing else; :class:`ImageError`."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                _check_array(file, path.stat().st_size)
            return
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > path.stat().st_size:  # which may unpack to anything
                raise ValueError("it is compressed")
            if archive.testzip() is not None:
                raise ValueError("it is damaged")
            for entry in entries:
                with archive.open(entry) as member:
                    _check_array(member, entry.file_size)
    except (ValueError, OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise ImageError("it is no file of NumPy's arrays") from error


def _check_array(file: Any, size: int) -> None:
    import numpy as np

    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    numbers = 1
    for side in shape:
        numbers *= side
    if dtype.hasobject or min(shape, default=0) < 0 or size != file.tell() + numbers * dtype.itemsize:
        raise ValueError("it is longer or shorter than it says")
