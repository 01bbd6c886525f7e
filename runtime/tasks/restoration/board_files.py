"""What restoration sends to a board, and what comes back: pictures, one for one, and comparisons beside them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, plan_outputs
from edgevision.runtime.remote.documents import RunDocument
from edgevision.runtime.remote.job import Check
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand, model_metadata
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.board_pictures import board_pictures
from edgevision.runtime.tasks.job_board_files import send_comparisons
from edgevision.runtime.tasks.made_picture_board_files import send_made_pictures, send_masks, upright_size
from edgevision.runtime.tasks.restoration.masks import match_masks, split_off_mask
from edgevision.runtime.tasks.restoration.spec import RestorationKind, RestorationSpec
from edgevision.runtime.tasks.side_by_side import side_by_side_size


def inpaint_files(command: RemoteCommand) -> None:
    """Pictures, and the masks that belong to them."""
    from_alpha = command.given["from_alpha"]
    pictures, masks_path = split_off_mask(command.given["inputs"], from_alpha=from_alpha)
    masks = [] if masks_path in (None, "-") else expand_inputs([str(masks_path)])
    protected = [each.place for each in masks if isinstance(each.place, Path)]
    jobs = send_pictures(command, RestorationKind.INPAINT, pictures, name_suffix="inpainted", protected=protected)
    if masks_path is not None and jobs:
        sent = send_masks(command, masks_path, match_masks(masks_path), [job.picture for job in jobs])
        command.values["inputs"].append(sent)


def denoise_files(command: RemoteCommand) -> None:
    """Pictures."""
    send_pictures(command, RestorationKind.DENOISE, command.given["inputs"], name_suffix="denoised")


def upscale_files(command: RemoteCommand) -> None:
    """Pictures; of the models that ship, the one of the scale."""
    scale = command.given["scale"]
    if command.given["model"] is None:
        command.values["scale"] = None  # which a model has of its own, and on the board it is one as any other
        send_pictures(
            command, RestorationKind.UPSCALE, command.given["inputs"], name_suffix=f"x{scale or 2}", scale=scale
        )
    else:
        send_pictures(command, RestorationKind.UPSCALE, command.given["inputs"], name_suffix="upscaled")


def brighten_files(command: RemoteCommand) -> None:
    """Pictures."""
    send_pictures(command, RestorationKind.BRIGHTEN, command.given["inputs"], name_suffix="brightened")


def colorize_files(command: RemoteCommand) -> None:
    """Pictures."""
    send_pictures(command, RestorationKind.COLORIZE, command.given["inputs"], name_suffix="colorized")


def send_pictures(
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

    def check(job: PictureJob) -> Check:
        return picture_check(job.target, partial(result_size, model, job.picture))

    def check_compared(job: PictureJob) -> Check:
        assert job.compare is not None
        masked = task == RestorationKind.INPAINT
        return picture_check(job.compare, partial(_compared_size, model, job.picture, masked=masked))

    def read(document: dict[str, Any]) -> RunDocument:
        return RunDocument.from_dict(document, "document")

    send_made_pictures(command, jobs, check, read, skipped=len(pictures) - len(jobs))
    send_comparisons(command, jobs, check_compared)
    return jobs


def result_size(model: Path, picture: PictureInput) -> Size | None:
    """The size that the model gives a picture; ``None`` where it cannot be told."""
    metadata, found = model_metadata(model), upright_size(picture)
    if metadata is None or not isinstance(metadata.spec, RestorationSpec) or found is None:
        return None
    factor = metadata.spec.scale
    return found[0] * factor, found[1] * factor


def _compared_size(model: Path, picture: PictureInput, *, masked: bool) -> Size | None:
    size = result_size(model, picture)
    return None if size is None else side_by_side_size(size, masked=masked)
