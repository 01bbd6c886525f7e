"""What restoration sends to a board, and what comes back: pictures, one for one, and comparisons beside them."""

import io
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgevision.core.errors import ImageError
from edgevision.core.records import Record, record
from edgevision.imaging.exif import orientation
from edgevision.imaging.picture_formats import format_of_content
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, plan_outputs
from edgevision.runtime.remote.documents import FailedInput, RunDocument, check_names
from edgevision.runtime.remote.job import Existing, Fetched
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand, model_metadata
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.board_pictures import board_pictures
from edgevision.runtime.tasks.restoration.masks import match_masks, split_off_mask
from edgevision.runtime.tasks.restoration.side_by_side import side_by_side_size
from edgevision.runtime.tasks.restoration.spec import RestorationKind, RestorationSpec

_BEGINNING = 4096
# The EXIF orientations in which width and height change places.
_TURNED = (5, 6, 7, 8)


@record
class _Restored(Record):
    input: str
    output: str


@record
class _Document(RunDocument):
    seconds: float
    results: tuple[_Restored, ...]
    failures: tuple[FailedInput, ...]


def inpaint_files(command: RemoteCommand) -> None:
    """Pictures, and the masks that belong to them."""
    from_alpha = command.given["from_alpha"]
    pictures, masks_path = split_off_mask(command.given["inputs"], from_alpha=from_alpha)
    masks = [] if masks_path in (None, "-") else expand_inputs([str(masks_path)])
    protected = [each.source for each in masks if isinstance(each.source, Path)]
    jobs = _send_pictures(command, RestorationKind.INPAINT, pictures, name_suffix="inpainted", protected=protected)
    if masks_path is not None and jobs:
        command.values["inputs"].append(_send_masks(command, masks_path, masks, [job.picture for job in jobs]))


def denoise_files(command: RemoteCommand) -> None:
    """Pictures."""
    _send_pictures(command, RestorationKind.DENOISE, command.given["inputs"], name_suffix="denoised")


def upscale_files(command: RemoteCommand) -> None:
    """Pictures; of the models that ship, the one of the scale."""
    scale = command.given["scale"]
    if command.given["model"] is None:
        command.values["scale"] = None  # which a model has of its own, and on the board it is one as any other
        _send_pictures(
            command, RestorationKind.UPSCALE, command.given["inputs"], name_suffix=f"x{scale or 2}", scale=scale
        )
    else:
        _send_pictures(command, RestorationKind.UPSCALE, command.given["inputs"], name_suffix="upscaled")


def brighten_files(command: RemoteCommand) -> None:
    """Pictures."""
    _send_pictures(command, RestorationKind.BRIGHTEN, command.given["inputs"], name_suffix="brightened")


def _send_pictures(
    command: RemoteCommand,
    task: str,
    inputs: list[str],
    *,
    name_suffix: str,
    scale: int | None = None,
    protected: Sequence[Path] = (),
) -> list[PictureJob]:
    """Add the model, and the pictures whose results are wanted and not there yet; returns these."""
    given = command.given
    model = given["model"] or shipped_model(task, scale)
    command.values["model"] = command.send_model(model, called=None if given["model"] else f"{task} (shipped)")
    pictures, force, resume = board_pictures(inputs, given["output"]), given["force"], given["resume"]
    jobs = plan_outputs(
        pictures,
        given["output"],
        name_suffix=name_suffix,
        compare=given["compare"],
        protected=protected,
        force=force,
        resume=resume,
    )
    skipped = len(pictures) - len(jobs)
    if not jobs:
        command.answer = {"results": [], "failures": [], "skipped": skipped}
    # A name of its own for a single result, a folder for several: the verb's rule for its -o.
    single = len(jobs) == 1
    # Another process that resumes the same work may be faster.
    existing: Existing = "replace" if force else "keep" if resume else "refuse"
    sent = [command.send_file("in", number, job.picture) for number, job in enumerate(jobs, start=1)]
    command.values["inputs"] = [*sent]
    for number, job in enumerate(jobs, start=1):
        find_size = partial(result_size, model, job.picture)
        check = picture_check(job.target, find_size)
        name = command.fetch(f"out/{number:05d}{job.target.suffix}", job.target, check, existing)
        command.values["output"] = name if single else "out/"
        if job.compare is not None:
            check = picture_check(
                job.compare, partial(_compared_size, model, job.picture, masked=task == RestorationKind.INPAINT)
            )
            name = f"compare/{number:05d}{job.compare.suffix}"
            command.fetch(name, job.compare, check, "replace" if force or resume else "refuse")
            command.values["compare"] = Path(name if single else "compare")
    command.read_document = partial(_read_document, sent, skipped)
    return jobs


def _send_masks(
    command: RemoteCommand, masks_path: str, masks: Sequence[PictureInput], pictures: Sequence[PictureInput]
) -> str:
    """Add the masks of the pictures; the argument there that stands for them."""
    find = match_masks(masks_path)
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


def _read_document(sent: Sequence[str], skipped: int, document: dict[str, Any], fetched: Fetched) -> dict[str, Any]:
    read = _Document.from_dict(document, "document")
    inputs = [*(item.input for item in read.results), *(item.input for item in read.failures)]
    check_names(inputs, sent, all_of_them=True)
    check_names([item.output for item in read.results], fetched.written | fetched.refused.keys())
    results = [item for item in document["results"] if item["output"] not in fetched.refused]
    return document | {"results": results, "skipped": skipped}


def result_size(model: Path, picture: PictureInput) -> Size | None:
    """The size that the model gives a picture; ``None`` where it cannot be told."""
    metadata, found = model_metadata(model), _upright_size(picture)
    if metadata is None or not isinstance(metadata.spec, RestorationSpec) or found is None:
        return None
    factor = metadata.spec.scale
    return found[0] * factor, found[1] * factor


def _compared_size(model: Path, picture: PictureInput, *, masked: bool) -> Size | None:
    size = result_size(model, picture)
    return None if size is None else side_by_side_size(size, masked=masked)


def _upright_size(picture: PictureInput) -> Size | None:
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
