"""The verb ``edgevision run segment``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.picture_answers import (
    ANSWERS_PANEL,
    AnswerOptions,
    AnswerVerb,
    TileOption,
    answer_pictures,
)
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.segmentation.task import SEGMENT
from edgevision.runtime.tasks.windows import parse_tile


@dataclass(frozen=True, kw_only=True)
class _Options(AnswerOptions):
    """What is an answer, and what is made of the answers."""

    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="From what on a pixel belongs to the foreground.",
            show_default="the model's",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    tile: TileOption = None
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            help="Folder for masks, a PNG a picture: the classes in colours, or the numbers of things in 16 bits.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None


@on_boards("run segment", "edgevision.runtime.tasks.segmentation.board_files:segment_files")
@option_groups
def segment(
    inputs: InputsArgument = NO_INPUTS,
    *,
    options: _Options,
) -> None:
    """Say of each pixel of a picture what it belongs to.

    Of the models that ship, segment knows persons and segment_nuclei tells the nuclei of cells apart. Persons far away
    are missed, and dark clothes on dark ground; nuclei in heaps run together.

    Examples:
        edgevision run segment photo.jpg -o drawn.jpg
        edgevision run segment slide.png --model segment_nuclei -o drawn.png
        edgevision run segment photos/ --model segmenter.onnx --masks masks/ --csv
        edgevision run segment scan.png --model segment_nuclei --tile 512 -o drawn.png
    """
    verb = AnswerVerb(
        task=SEGMENT.name,
        suffix="segmented",
        columns=("label", "score", "area", "percent", "x1", "y1", "x2", "y2"),
        details=lambda row: f"{row['area']:>8} pixels  {row['percent']:5.1f} % of the picture",
        folder=options.masks,
        ending=".png",
    )
    tile = None if options.tile is None else parse_tile(options.tile)
    answer_pictures(inputs, options, verb, threshold=options.threshold, tile=tile)
