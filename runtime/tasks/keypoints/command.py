"""The verb ``edgevision run keypoints``."""

from dataclasses import dataclass
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.core.errors import InputError
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.shipped_models import resolve_model
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.keypoints.task import KEYPOINTS
from edgevision.runtime.tasks.picture_answers import ANSWERS_PANEL, AnswerOptions, AnswerVerb, answer_pictures
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument


@dataclass(frozen=True, kw_only=True)
class _Options(AnswerOptions):
    """Where the things are, and what is made of their points."""

    box: Annotated[
        str | None,
        typer.Option(
            "--box",
            metavar="X1,Y1,X2,Y2",
            help="Where the thing is, in pixels of every picture.",
            show_default="the whole picture",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="MODEL",
            help="Detection model whose boxes are looked at, on the CPU; --class chooses among them.",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None


@on_boards("run keypoints", "edgevision.runtime.tasks.keypoints.board_files:keypoints_files")
@option_groups
def keypoints(
    inputs: InputsArgument = NO_INPUTS,
    *,
    options: _Options,
) -> None:
    """Find the points of a thing in a picture, as the landmarks of a face.

    A picture is taken to show one thing, close; else say where with --box, or let a detection model find them. The
    model that ships knows faces seen from the front, upright, and sees one in anything.

    Examples:
        edgevision run keypoints face.jpg -o points.jpg
        edgevision run keypoints photo.jpg --box 120,80,260,230 --csv
        edgevision run keypoints photos/ --detector faces.onnx -o drawn/
    """
    if options.classes and options.detector is None:
        raise InputError("--class chooses among the boxes of a --detector, and none is given")
    verb = AnswerVerb(
        task=KEYPOINTS.name,
        suffix="points",
        columns=("thing", "label", "point", "x", "y", "score"),
        details=lambda row: f"{row['point']:<20}  {row['x']:.1f},{row['y']:.1f}",
        remark=_doubt,
    )
    answer_pictures(
        inputs,
        options,
        verb,
        box=None if options.box is None else parse_box(options.box),
        detector=None if options.detector is None else resolve_model(options.detector),
    )


def _doubt(found: Keypoints) -> str | None:
    doubtful = int(found.doubtful.sum())
    if not doubtful:
        return None
    scores = ", ".join(f"{score:.2f}" for score in found.points[found.doubtful][:5, :, 2].mean(axis=1))
    what = "the points are" if len(found) == 1 else f"the points of {doubtful} of {len(found)} things are"
    return (
        f"{what} doubtful (score {scores}): there may be no such thing, or more round it than the network knows; find"
        " things with a --detector, or say where one is with --box"
    )


def parse_box(text: str) -> tuple[float, ...]:
    """The four numbers of ``X1,Y1,X2,Y2``."""
    try:
        x1, y1, x2, y2 = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--box is four numbers X1,Y1,X2,Y2, not {text!r}") from error
    return x1, y1, x2, y2
