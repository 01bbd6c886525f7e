"""The verb ``edgevision run cutout``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.core.errors import InputError
from edgevision.imaging.colour_names import parse_colour
from edgevision.imaging.cutouts import on_blur, on_colour, on_picture
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.cutter import DEFAULT_MATTING, Cutter, open_cutter
from edgevision.runtime.compositions.picture_verb import make_pictures
from edgevision.runtime.compositions.selection_options import SelectionOptions, mask_files
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.on_boards import on_boards

Laying = Callable[[Picture, Picture], Picture]
"""A cut-out and the picture that it is of, on what is to be behind it."""


@dataclass(frozen=True, kw_only=True)
class _Options(SelectionOptions):
    """What is made of the cut-out."""

    matting: Annotated[
        float,
        typer.Option(
            "--matting",
            "-a",
            min=0,
            max=1,
            help="How far from the mask hair is looked for; 0 leaves the mask's own edge.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = DEFAULT_MATTING
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            "-b",
            help="What is behind it: a colour (white, #ff8800), blur, or a picture's file.",
            show_default="transparent",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    mask_only: Annotated[
        bool, typer.Option("--mask-only", help="Write the matte alone, in gray.", rich_help_panel=OUTPUT_PANEL)
    ] = False


@on_boards("run cutout", "edgevision.runtime.compositions.board_files:cutout_files")
@option_groups
def cutout(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    *,
    options: _Options,
) -> None:
    """Cut a subject out of its background: persons, or what --class, --point or --mask say.

    Hair and soft edges become partly transparent, and keep nothing of the colours behind them. The model that ships
    misses persons who are less than an eighth of the picture high and dark clothes on dark ground, and may take
    something else for a person where there is none; --segmenter names another.

    Examples:
        edgevision run cutout photo.jpg -o person.png
        edgevision run cutout photos/ -o cut/ --background white
        edgevision run cutout photo.jpg --mask mask.png --background blur -o blurred.jpg
    """
    if options.mask_only and options.background is not None:
        raise InputError("--mask-only writes no picture that --background could be behind; leave one of them out")
    selections = options.selections()
    lay = None if options.background is None else _laying(options.background)
    background = Path(options.background or "")

    def make(cutter: Cutter, picture_input: PictureInput, picture: Picture) -> Picture:
        cut = cutter.cut(picture, selections(picture_input))
        if options.mask_only:
            assert cut.alpha is not None
            return Picture(cut.alpha[:, :, None])
        return cut if lay is None else lay(cut, picture)

    make_pictures(
        "cutout",
        inputs,
        options,
        lambda: _open(options),
        make,
        suffix="mask" if options.mask_only else "cutout",
        transparent=lay is None and not options.mask_only,
        protected=[*mask_files(options.mask), *([background] if background.is_file() else [])],
    )


def _open(options: _Options) -> Cutter:
    if options.mask is not None:
        return Cutter(None, matting=options.matting)
    return open_cutter(
        options.device,
        segmenter=options.segmenter,
        classes=tuple(options.classes),
        matting=options.matting,
        min_score=options.min_score,
        threads=options.threads,
        allow_fallback=options.allow_fallback,
    )


def _laying(background: str) -> Laying:
    """What ``--background`` means; a picture is read once."""
    if background != "blur" and Path(background).is_file():
        behind = Picture.read(background)
        return lambda cut, picture: on_picture(cut, behind)
    return plain_background(background)


def plain_background(background: str) -> Laying:
    """What ``--background`` means that is no file; :class:`InputError` where it is nothing else."""
    if background == "blur":
        return on_blur
    try:
        colour = parse_colour(background)
    except ValueError as error:
        raise InputError(f"--background is a colour, blur or a picture's file: {error}") from None
    return lambda cut, picture: on_colour(cut, colour)
