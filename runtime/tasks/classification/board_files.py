"""What classification sends to a board: pictures to look at, without files as results."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from edgevision.core.records import Record, record
from edgevision.runtime.remote.documents import FailedInput, RunDocument, check_names
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.board_pictures import board_pictures, send_model
from edgevision.runtime.tasks.classification.task import CLASSIFY


@record
class Prediction(Record):
    """A label, and how probable it is."""

    label: str
    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability lies in 0..1, not {self.probability!r}")


@record
class _Classified(Record):
    input: str
    predictions: tuple[Prediction, ...]


@record
class _Document(RunDocument):
    results: tuple[_Classified, ...]
    failures: tuple[FailedInput, ...]


def classify_files(command: RemoteCommand) -> None:
    """Pictures, and the model."""
    send_model(command, CLASSIFY.name)
    pictures = enumerate(board_pictures(command.given["inputs"], command.given["output"]), start=1)
    sent = [command.send_file("in", number, picture) for number, picture in pictures]
    command.values["inputs"] = sent
    command.read_document = partial(_read_document, sent)


def _read_document(sent: Sequence[str], document: dict[str, Any], fetched: Fetched) -> dict[str, Any]:
    read = _Document.from_dict(document, "document")
    inputs = [*(item.input for item in read.results), *(item.input for item in read.failures)]
    check_names(inputs, sent, all_of_them=True)
    return document
