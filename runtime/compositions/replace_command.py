"""The verb ``edgevision run replace``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.core.errors import InputError
from edgevision.imaging.pasting import PastedThing
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.picture_verb import make_pictures
from edgevision.runtime.compositions.replacer import Blend, Replacer, is_cutout, open_replacer
from edgevision.runtime.compositions.selection_options import (
    BoxOption,
    SelectionOptions,
    mask_files,
    parse_point,
)
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.model_options import model_option
from edgevision.runtime.remote.on_boards import on_boards

_CUTOUT_PANEL = "Cut-out"


@dataclass(frozen=True, kw_only=True)
class _Options(SelectionOptions):
    """What is put where, and what is replaced by it."""

    other: Annotated[
        Path,
        typer.Option(
            "--with",
            help="What is put into it: a cut-out, or a picture whose person is cut out.",
            rich_help_panel=_CUTOUT_PANEL,
        ),
    ]
    other_mask: Annotated[
        Path | None,
        typer.Option(
            "--with-mask", help="What of --with is meant, white in this picture.", rich_help_panel=_CUTOUT_PANEL
        ),
    ] = None
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Where its middle comes, as 120,80.",
            show_default="the middle of the lower edge, or the place of what it replaces",
            rich_help_panel=_CUTOUT_PANEL,
        ),
    ] = None
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            min=0.001,
            max=1000,
            help="How many times its own size it becomes.",
            show_default="to the height of what it replaces, or as it is if it has room",
            rich_help_panel=_CUTOUT_PANEL,
        ),
    ] = None
    blend: Annotated[
        Blend,
        typer.Option(
            help="gradient matches its light and colours at the seam, alpha leaves them.", rich_help_panel=_CUTOUT_PANEL
        ),
    ] = Blend.GRADIENT
    box: BoxOption = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    inpainter: Annotated[
        Path | None,
        model_option("Model that fills the place of what is replaced; by default the one that ships.", "--inpainter"),
    ] = None

    @property
    def replaces(self) -> bool:
        """Whether something of the picture is to go."""
        return bool(self.classes or self.point or self.box or self.mask)


@on_boards("run replace", "edgevision.runtime.compositions.board_files:replace_files")
@option_groups
def replace(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    *,
    options: _Options,
) -> None:
    """Put a cut-out into pictures, in their light; what --class, --point, --box or --mask say is removed before.

    It casts no shadow and keeps its own sharpness and direction of light. Persons are found as for cutout, with its
    limits.

    Examples:
        edgevision run replace beach.jpg --with person.png --at 400,300 --scale 0.5
        edgevision run replace photo.jpg --class person --with portrait.jpg -o other.jpg
    """
    other = Picture.read(options.other)
    center = None if options.at is None else parse_point(options.at, "--at")
    selections = options.selections(options.box)
    if options.other_mask is not None and not options.other_mask.is_file():
        raise InputError(f"{str(options.other_mask)!r} does not exist")
    # It is cut out once for all pictures.
    thing: list[PastedThing] = []

    def opened() -> Replacer:
        cuts = options.other_mask is None and not is_cutout(other)
        replacer = _open(options, finds=cuts or (options.mask is None and bool(options.classes or options.point)))
        try:
            thing.append(replacer.thing(other, options.other_mask))
        except Exception:
            replacer.close()
            raise
        return replacer

    def make(replacer: Replacer, picture_input: PictureInput, picture: Picture) -> Picture:
        replaced = selections(picture_input) if options.replaces else None
        return replacer.replace(picture, thing[0], replaced, center=center, scale=options.scale, blend=options.blend)

    make_pictures(
        "replace",
        inputs,
        options,
        opened,
        make,
        suffix="replaced",
        protected=[options.other, *mask_files(options.mask)],
    )


def _open(options: _Options, *, finds: bool) -> Replacer:
    return open_replacer(
        options.device,
        segmenter=options.segmenter,
        inpainter=options.inpainter,
        classes=tuple(options.classes),
        finds=finds,
        fills=options.replaces,
        min_score=options.min_score,
        threads=options.threads,
        allow_fallback=options.allow_fallback,
    )
