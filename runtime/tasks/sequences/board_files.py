"""What ``run sequence`` sends to a board: clips, after each frame of which an answer comes back."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.documents import check_names
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import Document, RemoteCommand
from edgevision.runtime.streams.addresses import VIDEO_SUFFIXES, is_live
from edgevision.runtime.streams.frame_folder import pictures_in_order
from edgevision.runtime.tasks.board_pictures import refuse_stream, send_model
from edgevision.runtime.tasks.classification.board_files import Prediction
from edgevision.runtime.tasks.sequences.task import SEQUENCE


@record
class _AnsweredFrame(Record):
    source: str
    frame: int
    time: float
    latency_ms: float
    predictions: tuple[Prediction, ...]


@record
class _DoneSource(Record):
    source: str
    frames: int
    dropped: int
    error: str | None


@record
class _End(Record):
    end: bool
    seconds: float
    sources: tuple[_DoneSource, ...]


def sequence_files(command: RemoteCommand) -> None:
    """Clips as they are, which are decoded there, and the model.

    Raises:
        InputError: a source is a camera, or the frames are to be drawn.
    """
    given = command.given
    if given["output"] is not None:
        raise InputError(
            f"-o {given['output']!r} is not made on a board; take its answers with --json, or leave out --on"
        )
    send_model(command, SEQUENCE.name)
    sent = [_send_clip(command, number, name) for number, name in enumerate(given["sources"], start=1)]
    command.values["sources"] = sent
    command.read_lines = partial(_read_lines, sent)


def _send_clip(command: RemoteCommand, number: int, name: str) -> str:
    """Its name there."""
    if is_live(name):
        refuse_stream(name)
    path = Path(name)
    if not path.is_dir():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            command.extras.add("video")
        return command.send_file("in", number, PictureInput(name, path))
    return command.send_folder("in", number, name, pictures_in_order(path))


def _read_lines(sent: Sequence[str], lines: Sequence[Document], fetched: Fetched) -> Sequence[Document]:
    *answered, last = lines or [{}]
    for line in answered:
        check_names([_AnsweredFrame.from_dict(line, "line").source], sent)
    end = _End.from_dict(last, "the last line")
    check_names([source.source for source in end.sources], sent, all_of_them=True)
    return lines
