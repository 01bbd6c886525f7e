"""The verb ``edgevision train segment``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import (
    BackboneOption,
    ModelOptionsOption,
    StartFromOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Hardware,
    Output,
    SteppedTraining,
    number_range,
    option_values,
    picture_size,
    run_training,
)
from edgevision.training.settings import ClassWeights
from edgevision.training.train import training_settings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        str, typer.Option(help="Folder or zip of pictures, each with a PNG of classes, or of 16-bit numbers of things.")
    ]
    labels: Annotated[
        str | None,
        typer.Option(help="The classes by their index, as background,person.", show_default="as in the data"),
    ] = None
    image_size: Annotated[
        str | None,
        typer.Option(
            help="SIDE or HEIGHTxWIDTH that pictures are brought to, whatever theirs is.", show_default="any size"
        ),
    ] = None
    crop: Annotated[int, typer.Option(min=16, max=4096, help="Side of the crops where pictures keep their size.")] = 256
    zoom: Annotated[str, typer.Option(help="LEAST,GREATEST scale of a picture.")] = "0.6,1.6"
    rotate: Annotated[float, typer.Option(help="Turn by up to so many degrees.")] = 15.0
    flip: Annotated[bool, typer.Option(help="Mirror half of the pictures.")] = True
    turn: Annotated[bool, typer.Option("--turn", help="By quarter turns too, for pictures without an upside.")] = False
    colour: Annotated[float, typer.Option(help="Change brightness, contrast and saturation by up to such a share.")] = (
        0.3
    )
    paste: Annotated[
        float, typer.Option(help="Share of the pictures that the foreground of another is pasted into.")
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="segmentation_unet or unet.")] = "segmentation_unet"
    model_options: ModelOptionsOption = "{}"
    start_from: StartFromOption = None
    backbone: BackboneOption = None


@dataclass(frozen=True, kw_only=True)
class _Training(SteppedTraining):
    class_weights: Annotated[ClassWeights, typer.Option(help="Whether the pixels of rare classes count more.")] = (
        ClassWeights.NONE
    )


@option_groups
def segment(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that segments: into classes, into things one by one, or a foreground from its background.

    The masks say which. Without a val split a tenth of the pictures, chosen by file name, is held out. The same command
    resumes an interrupted training. 1,400 steps at 192x256 took 22 minutes on one core of a server.

    Examples:
        edgevision train segment --data nuclei.zip --turn --precision bf16
        edgevision train segment --data street.zip --class-weights log --rotate 5
        edgevision train segment --data persons.zip --image-size 256 --paste 0.5
    """
    chosen = option_values(data, network, training, hardware) | {
        "labels": () if data.labels is None else tuple(data.labels.split(",")),
        "image_size": None if data.image_size is None else picture_size(data.image_size),
        "zoom": number_range(data.zoom, "--zoom"),
    }
    chosen |= {**output.licences, "seed": seed}
    run_training("segment", training_settings("segment", chosen.pop("data"), **chosen), output)
