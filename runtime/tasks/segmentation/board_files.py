"""What segmentation sends to a board, and what comes back."""

from edgevision.core.records import Record, record
from edgevision.runtime.remote.documents import FailedInput, RunDocument
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.answer_board_files import answer_files
from edgevision.runtime.tasks.segmentation.task import SEGMENT


@record
class _Mask(Record):
    size: tuple[int, int]
    counts: str


@record
class _Segment(Record):
    label: str
    score: float
    area: int
    box: tuple[int, int, int, int]
    mask: _Mask

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies in 0..1, not {self.score!r}")


@record
class _Segmented(Record):
    input: str
    width: int
    height: int
    segments: tuple[_Segment, ...]


@record
class _Document(RunDocument):
    results: tuple[_Segmented, ...]
    failures: tuple[FailedInput, ...]


def segment_files(command: RemoteCommand) -> None:
    """As :func:`.answer_files`."""
    answer_files(
        command,
        SEGMENT.name,
        "segmented",
        lambda document: _Document.from_dict(document, "document"),
        not_fetched=("crops", "masks", "coco"),
    )
