"""What the verbs that change pictures with several models send to a board, and what comes back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.finder import SUBJECT, shipped_for
from edgevision.runtime.compositions.picture_verb import STANDARD_OUTPUT, plan_pictures
from edgevision.runtime.compositions.remover import filling_model
from edgevision.runtime.compositions.replacer import is_cutout
from edgevision.runtime.compositions.selection_options import mask_files, require_things
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.job import Check
from edgevision.runtime.remote.picture_check import picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.board_pictures import board_pictures
from edgevision.runtime.tasks.made_picture_board_files import send_made_pictures, send_masks, upright_size
from edgevision.runtime.tasks.restoration.masks import match_masks
from edgevision.runtime.tasks.task import Finding


@record
class _Ran(Record):
    name: str
    device: str
    engine: str
    nodes: Mapping[str, Any]


@record
class _Document(Record):
    models: Mapping[str, _Ran]


def cutout_files(command: RemoteCommand) -> None:
    """Pictures, masks or what finds the things, and what comes behind them."""
    given = command.given
    background = given["background"]
    behind = [] if background is None or not Path(background).is_file() else [Path(background)]
    alone = given["mask_only"]
    transparent = background is None and not alone
    _send_pictures(command, "mask" if alone else "cutout", transparent=transparent, protected=behind)
    if given["mask"] is None:
        _send_finder(command, ("masks",))
    for path in behind:
        command.values["background"] = command.send_file("background", 1, PictureInput(str(path), path))


def remove_files(command: RemoteCommand) -> None:
    """Pictures, masks or what finds the things, and what fills their place."""
    given = command.given
    require_things(given["classes"], given["point"], given["box"], given["mask"])
    _send_pictures(command, "removed")
    if given["mask"] is None and (given["classes"] or given["point"]):
        _send_finder(command, ("masks", "boxes"))
    _send_inpainter(command)


def replace_files(command: RemoteCommand) -> None:
    """Pictures, what is put into them, and the models and masks for what it replaces."""
    given = command.given
    other, other_mask = given["other"], given["other_mask"]
    cuts = other_mask is None and not is_cutout(Picture.read(other))
    _send_pictures(command, "replaced", protected=[other])
    command.values["other"] = Path(command.send_file("with", 1, PictureInput(str(other), other)))
    if other_mask is not None:
        command.values["other_mask"] = Path(command.send_file("with", 2, PictureInput(str(other_mask), other_mask)))
    if cuts or (given["mask"] is None and (given["classes"] or given["point"])):
        _send_finder(command, ("masks",))
    if given["classes"] or given["point"] or given["box"] or given["mask"]:
        _send_inpainter(command)


def _send_pictures(
    command: RemoteCommand, suffix: str, *, transparent: bool = False, protected: Sequence[Path] = ()
) -> None:
    """Add the pictures whose results are wanted and not there yet, and their masks."""
    given = command.given
    protected = [*protected, *mask_files(given["mask"])]
    pictures, jobs = plan_pictures(
        board_pictures(given["inputs"], given["output"]),
        given["output"],
        suffix=suffix,
        transparent=transparent,
        protected=protected,
        force=given["force"],
        resume=given["resume"],
    )
    if any(job.target == STANDARD_OUTPUT for job in jobs):
        raise InputError("a board sends pictures as files; name one with -o")

    def check(job: PictureJob) -> Check:
        return picture_check(job.target, lambda: upright_size(job.picture))

    def read(document: dict[str, Any]) -> _Document:
        return _Document.from_dict(document, "document")

    send_made_pictures(command, jobs, check, read, skipped=len(pictures) - len(jobs))
    if given["mask"] is not None and jobs:
        find = match_masks(given["mask"])
        command.values["mask"] = send_masks(command, given["mask"], find, [job.picture for job in jobs])


def _send_finder(command: RemoteCommand, findings: tuple[Finding, ...]) -> None:
    """Add the model that is named for finding things, or the one that ships and knows the classes."""
    given = command.given
    named = [what for what in ("segmenter", "detector") if given.get(what) is not None]
    for what in named:
        command.values[what] = command.send_model(given[what])
    if not named:
        shipped = shipped_for(tuple(given["classes"]) or (SUBJECT,), findings)
        command.values["segmenter"] = command.send_model(shipped, called=f"{shipped.stem} (shipped)")


def _send_inpainter(command: RemoteCommand) -> None:
    named = command.given["inpainter"]
    path = filling_model(named)
    called = None if named is not None else f"{path.stem} (shipped)"
    command.values["inpainter"] = command.send_model(path, 2, called=called)
