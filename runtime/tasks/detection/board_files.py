"""What detection sends to a board: pictures, of which boxes come back, and drawn pictures where they are wanted."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.files.outputs import plan_outputs
from edgevision.runtime.remote.documents import FailedInput, RunDocument, check_names
from edgevision.runtime.remote.job import Existing, Fetched
from edgevision.runtime.remote.picture_check import picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.detection.task import DETECT


@record
class _Detection(Record):
    label: str
    score: float
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies in 0..1, not {self.score!r}")


@record
class _Detected(Record):
    input: str
    width: int
    height: int
    detections: tuple[_Detection, ...]


@record
class _Document(RunDocument):
    results: tuple[_Detected, ...]
    failures: tuple[FailedInput, ...]


def detect_files(command: RemoteCommand) -> None:
    """Pictures, the model, and with ``--output`` the drawn pictures that come back.

    Raises:
        InputError: files are asked for whose number nobody knows before.
    """
    given = command.given
    for name in ("crops", "yolo", "coco"):
        if given[name] is not None:
            raise InputError(f"--{name} is not made on a board; take its boxes with --json, or drawn with -o")
    model = given["model"]
    called = None if model else f"{DETECT.name} (shipped)"
    command.values["model"] = command.send_model(model or shipped_model(DETECT.name), called=called)
    pictures = expand_inputs(given["inputs"])
    sent = [command.send_file("in", number, picture) for number, picture in enumerate(pictures, start=1)]
    command.values["inputs"] = sent
    if given["output"] is not None:
        existing: Existing = "replace" if given["force"] else "refuse"
        jobs = plan_outputs(pictures, given["output"], name_suffix="detected", force=given["force"])
        for number, job in enumerate(jobs, start=1):
            name = f"out/{number:05d}{job.target.suffix}"
            command.fetch(name, job.target, picture_check(job.target, lambda: None), existing)
            command.values["output"] = name if len(jobs) == 1 else "out/"
    command.read_document = partial(_read_document, sent)


def _read_document(sent: Sequence[str], document: dict[str, Any], fetched: Fetched) -> dict[str, Any]:
    read = _Document.from_dict(document, "document")
    inputs = [*(item.input for item in read.results), *(item.input for item in read.failures)]
    check_names(inputs, sent, all_of_them=True)
    return document
