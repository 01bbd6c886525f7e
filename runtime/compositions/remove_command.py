"""The verb ``edgevision run remove``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.picture_verb import make_pictures
from edgevision.runtime.compositions.remover import DEFAULT_GROWTH, Remover, open_remover
from edgevision.runtime.compositions.selection_options import (
    THINGS_PANEL,
    BoxOption,
    DetectorOption,
    SelectionOptions,
    mask_files,
    require_things,
)
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.model_options import model_option
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.restoration.spec import HoleFill


@dataclass(frozen=True, kw_only=True)
class _Options(SelectionOptions):
    """What is removed, and how its place is filled."""

    box: BoxOption = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    grow: Annotated[
        float,
        typer.Option(
            min=0,
            max=100,
            help="By what percent of its size a thing's mask is grown; more for its shadow.",
            rich_help_panel=THINGS_PANEL,
        ),
    ] = 100 * DEFAULT_GROWTH
    fill: Annotated[
        HoleFill,
        typer.Option(
            help="With what large places are filled: texture, smooth colours, or auto, which is either.",
            rich_help_panel=THINGS_PANEL,
        ),
    ] = HoleFill.AUTO
    detector: DetectorOption = None
    inpainter: Annotated[
        Path | None, model_option("Model that fills holes; by default the one that ships.", "--inpainter")
    ] = None


@on_boards("run remove", "edgevision.runtime.compositions.board_files:remove_files")
@option_groups
def remove(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    *,
    options: _Options,
) -> None:
    """Remove things and fill their place from what is around it; every other pixel stays as it is.

    Of the models that ship one knows persons, but misses small ones and dark clothes on dark ground. What is filled in
    is texture: of a large hole it makes no window, face or writing that was behind.

    Examples:
        edgevision run remove photo.jpg --class person -o empty.png
        edgevision run remove photo.jpg --box 40,30,120,200
        edgevision run remove photo.jpg --mask mask.png --grow 0
    """
    require_things(options.classes, options.point, options.box, options.mask)
    selections = options.selections(options.box)

    def make(remover: Remover, picture_input: PictureInput, picture: Picture) -> Picture:
        return remover.remove(picture, selections(picture_input), fill=options.fill)

    make_pictures(
        "remove",
        inputs,
        options,
        lambda: _open(options),
        make,
        suffix="removed",
        protected=mask_files(options.mask),
    )


def _open(options: _Options) -> Remover:
    return open_remover(
        options.device,
        segmenter=options.segmenter,
        detector=options.detector,
        inpainter=options.inpainter,
        classes=tuple(options.classes),
        finds=options.mask is None and bool(options.classes or options.point),
        growth=options.grow / 100,
        min_score=options.min_score,
        threads=options.threads,
        allow_fallback=options.allow_fallback,
    )
