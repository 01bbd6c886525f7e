"""The verb ``edgevision run stylize``."""

from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.restoration.running import (
    PictureOptions,
    SmoothOption,
    StrengthOption,
    run_on_pictures,
)


@on_boards("run stylize", "edgevision.runtime.tasks.stylization.board_files:stylize_files")
@option_groups
def stylize(
    inputs: InputsArgument = NO_INPUTS,
    style: Annotated[
        str | None,
        typer.Option(
            help="A style of the model, or a mixture of several, as wave:0.6,starry:0.4.",
            show_default="its first; edgevision inspect lists them",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    strength: StrengthOption = 1,
    smooth: SmoothOption = 0.9,
    *,
    options: PictureOptions,
) -> None:
    """Paint pictures in the style of a painting, or in a mixture of styles.

    Colours and strokes are taken over; faces and letters become unreadable, and even surfaces get patterns, at times
    of a fine grid.

    Examples:
        edgevision run stylize photo.jpg --style vangogh_starry_night
        edgevision run stylize photos/ --model styles.onnx --style wave:0.6,starry:0.4 --strength 0.8 -o painted/
    """

    def check(metadata: ModelMetadata) -> None:
        from edgevision.runtime.tasks.stylization.spec import StylizationSpec
        from edgevision.runtime.tasks.stylization.stylizer import style_shares

        style_shares(style, metadata.spec_as(StylizationSpec).styles, metadata.name)

    how = {"style": style, "strength": strength}
    run_on_pictures("stylize", inputs, options, name_suffix="stylized", how=how, check=check, smooth=smooth)
