"""The verb ``edgevision run detect``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.detection.spec import Merge
from edgevision.runtime.tasks.detection.task import DETECT
from edgevision.runtime.tasks.picture_answers import (
    ANSWERS_PANEL,
    AnswerOptions,
    AnswerVerb,
    BatchOption,
    TileOption,
    answer_pictures,
)
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.windows import parse_tile


@dataclass(frozen=True, kw_only=True)
class _Options(AnswerOptions):
    """What is an answer, and what is made of the answers."""

    iou: Annotated[
        float | None,
        typer.Option(
            "--iou",
            min=0.01,
            max=1,
            help="Boxes that overlap more are one thing.",
            show_default="the model's",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    merge: Annotated[
        Merge | None,
        typer.Option(
            "--merge",
            help="What becomes of them: the best is kept (suppress), or their mean weighted by scores (blend).",
            show_default="the model's",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    tile: TileOption = None
    batch: BatchOption = 1
    yolo: Annotated[
        Path | None,
        typer.Option("--yolo", help="Folder for YOLO's lines, a .txt a picture.", rich_help_panel=OUTPUT_PANEL),
    ] = None


@on_boards("run detect", "edgevision.runtime.tasks.detection.board_files:detect_files")
@option_groups
def detect(
    inputs: InputsArgument = NO_INPUTS,
    *,
    options: _Options,
) -> None:
    """Find things in a picture, with a box round each.

    The model that ships knows blood cells, and is no counter: of red ones it finds more than there are. Detectors for
    other things come from edgevision train or export.

    Examples:
        edgevision run detect smear.jpg -o found.jpg
        edgevision run detect photo.jpg --model detector.onnx -o found.jpg
        edgevision run detect photos/ --model detector.onnx --class person --min-score 0.5 --csv
        edgevision run detect camera:0 --model detector.onnx -o http://127.0.0.1:8080
        edgevision run detect crowd.jpg --model faces.onnx --tile auto --merge blend -o found.jpg
    """
    verb = AnswerVerb(
        task=DETECT.name,
        suffix="detected",
        columns=("label", "score", "x1", "y1", "x2", "y2"),
        details=lambda row: f"{row['x1']:.0f},{row['y1']:.0f} to {row['x2']:.0f},{row['y2']:.0f}",
        folder=options.yolo,
        ending=".txt",
    )
    tile = None if options.tile is None else parse_tile(options.tile)
    answer_pictures(inputs, options, verb, iou=options.iou, merge=options.merge, tile=tile, batch=options.batch)
