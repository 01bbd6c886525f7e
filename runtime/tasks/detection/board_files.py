"""What detection sends to a board, and what comes back."""

from edgevision.core.records import Record, record
from edgevision.runtime.remote.documents import FailedInput, RunDocument
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.answer_board_files import answer_files
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
    """As :func:`.answer_files`."""
    answer_files(
        command,
        DETECT.name,
        "detected",
        lambda document: _Document.from_dict(document, "document"),
        not_fetched=("crops", "yolo", "coco"),
    )
