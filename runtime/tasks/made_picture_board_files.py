"""Verbs that make a picture of each picture, on a board: pictures go there, and results come back one for one."""

import io
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgevision.core.errors import ImageError
from edgevision.core.records import Record, record
from edgevision.imaging.exif import orientation
from edgevision.imaging.picture_formats import format_of_content
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.documents import FailedInput, check_names
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.picture_check import Size
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.job_board_files import JobCheck, send_files

_BEGINNING = 4096
# The EXIF orientations in which width and height change places.
_TURNED = (5, 6, 7, 8)


@record
class MadePicture(Record):
    """A result: the picture that it is of, and its file."""

    input: str
    output: str


@record
class MadePictures(Record):
    """What such a verb says of its results."""

    seconds: float
    results: tuple[MadePicture, ...]
    failures: tuple[FailedInput, ...]


def send_made_pictures(
    command: RemoteCommand,
    jobs: Sequence[PictureJob],
    check: JobCheck,
    read: Callable[[dict[str, Any]], Any],
    *,
    skipped: int,
) -> None:
    """Add the pictures whose results are wanted, and these, each if it passes its ``check``.

    ``read`` decodes the document, which says more than :class:`MadePictures`; ``skipped`` are the pictures whose
    results are there already.
    """
    if not jobs:
        command.answer = {"results": [], "failures": [], "skipped": skipped}
    sent = send_files(command, jobs, check)
    command.read_document = partial(_read_document, sent, skipped, read)


def send_masks(
    command: RemoteCommand,
    masks_path: str,
    find: Callable[[PictureInput], Path | bytes],
    pictures: Sequence[PictureInput],
) -> str:
    """Add the masks of the pictures, each as ``find`` gives it; the argument there that stands for them."""
    masks = [] if masks_path == "-" else expand_inputs([masks_path])
    if len(masks) == 1 and not Path(masks_path).is_dir():
        return command.send_file("mask", 1, masks[0])
    if masks_path == "-":
        return command.send_file("mask", 1, PictureInput("-", find(pictures[0])))
    for number, picture in enumerate(pictures, start=1):
        try:
            mask = find(picture)
        except ImageError:
            continue  # which is said there, for this picture alone
        command.send_file("mask", number, PictureInput(str(mask), mask))
    return command.name_folder("mask", masks_path)


def upright_size(picture: PictureInput) -> Size | None:
    """(height, width) of a picture as it is seen; ``None`` where it cannot be told."""
    from PIL import Image

    try:
        stream = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else picture.source.open("rb")
        with stream as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = format_of_content(file.read(_BEGINNING), picture.name)
            file.seek(0)
            with Image.open(file, formats=(kind.kind,)) as image:
                turned = orientation(image) in _TURNED
                return (image.width, image.height) if turned else (image.height, image.width)
    except Exception:  # it is damaged, which is the board's to say
        return None


def _read_document(
    sent: Sequence[str], skipped: int, read: Callable[[dict[str, Any]], Any], document: dict[str, Any], fetched: Fetched
) -> dict[str, Any]:
    read(document)
    said = MadePictures.from_dict(document, "document")
    inputs = [*(item.input for item in said.results), *(item.input for item in said.failures)]
    check_names(inputs, sent, all_of_them=True)
    check_names([item.output for item in said.results], fetched.written | fetched.refused.keys())
    results = [item for item in document["results"] if item["output"] not in fetched.refused]
    return document | {"results": results, "skipped": skipped}
