"""The verb ``edgevision train segment``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    TRAINING_PANEL,
    Hardware,
    ModelOptionsOption,
    Output,
    number_range,
    option_values,
    picture_size,
    run_training,
)
from edgevision.training.settings import ClassWeights, Optimizer
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

    model: Annotated[str, typer.Option("--model", "-m", help="segmentation_unet.")] = "segmentation_unet"
    model_options: ModelOptionsOption = "{}"
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of the same network whose weights to begin with."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Training:
    panel: ClassVar[str] = TRAINING_PANEL

    steps: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")] = 4000
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations, where it can resume; --steps is a multiple.")
    ] = 250
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Pictures a step and device.")] = 8
    class_weights: Annotated[ClassWeights, typer.Option(help="Whether the pixels of rare classes count more.")] = (
        ClassWeights.NONE
    )
    ema: Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept; 0 for none.")] = 0.998
    optimizer: Annotated[Optimizer, typer.Option(help="The update rule.")] = Optimizer.MUON
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls along half a cosine.")] = 0.003
    warmup: Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")] = 100
    weight_decay: Annotated[float, typer.Option(help="Pulls weights to zero, against overfitting.")] = 0.01


@option_groups
def segment(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that segments: into classes, into things one by one, or a foreground from its background.

    The masks say which. Without a val split a tenth of the pictures, chosen by file name, is held out. The same command
    resumes an interrupted training.

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
    chosen |= {"licence": output.licence, "seed": seed}
    run_training("segment", training_settings("segment", chosen.pop("data"), **chosen), output)
