"""What finding points sends to a board, the detector too, and what comes back."""

from edgevision.core.records import Record, record
from edgevision.runtime.remote.documents import FailedInput, RunDocument
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.answer_board_files import answer_files
from edgevision.runtime.tasks.keypoints.task import KEYPOINTS


@record
class _Thing(Record):
    label: str
    score: float
    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float, float], ...]

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies in 0..1, not {self.score!r}")


@record
class _Found(Record):
    input: str
    width: int
    height: int
    things: tuple[_Thing, ...]


@record
class _Document(RunDocument):
    results: tuple[_Found, ...]
    failures: tuple[FailedInput, ...]


def keypoints_files(command: RemoteCommand) -> None:
    """As :func:`.answer_files`, and the detector."""
    if command.given["detector"] is not None:
        command.values["detector"] = command.send_model(command.given["detector"])
    answer_files(
        command,
        KEYPOINTS.name,
        "points",
        lambda document: _Document.from_dict(document, "document"),
        not_fetched=("crops", "coco"),
    )
