"""What every ``edgevision train`` takes beside its own options, and how it is carried out."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from edgevision.cli.options import OUTPUT_PANEL, ForceOption, QuietOption
from edgevision.cli.output import echo
from edgevision.cli.values import json_object
from edgevision.core.errors import InputError
from edgevision.training.commands.options import (
    EmaOption,
    LearningRateOption,
    OptimizerOption,
    StepsOption,
    ValidateEveryOption,
    WarmupOption,
    WeightDecayOption,
)
from edgevision.training.launched import leave_interruption_to_the_first
from edgevision.training.settings import MixedPrecision, Optimizer, TrainingSettings
from edgevision.training.train import train_with

DATA_PANEL = "Data"
NETWORK_PANEL = "Network"
TRAINING_PANEL = "Training"


@dataclass(frozen=True, kw_only=True)
class SteppedTraining:
    """How long and how fast a network is trained, and how often it is judged."""

    panel: ClassVar[str] = TRAINING_PANEL

    steps: StepsOption = 4000
    validate_every: ValidateEveryOption = None
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Pictures a step and device.")] = 8
    ema: EmaOption = 0.998
    optimizer: OptimizerOption = Optimizer.MUON
    learning_rate: LearningRateOption = 0.003
    warmup: WarmupOption = 100
    weight_decay: WeightDecayOption = 0.01


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What the training runs on."""

    panel: ClassVar[str] = "Hardware"

    precision: Annotated[
        MixedPrecision,
        typer.Option(help="Number format; auto is bf16 (or fp16) where GPU or CPU multiply it, else fp32."),
    ] = MixedPrecision.AUTO
    devices: Annotated[int, typer.Option(min=1, max=1024, help="Processes on this host, one a device.")] = 1
    nodes: Annotated[
        int, typer.Option(min=1, max=4096, help="Hosts; each runs this command with MASTER_ADDR and NODE_RANK set.")
    ] = 1
    workers: Annotated[
        int,
        typer.Option(min=0, max=256, help="Processes that prepare pictures, if too many to keep or for a GPU."),
    ] = 2


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the training goes."""

    panel: ClassVar[str] = OUTPUT_PANEL

    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of this training.", show_default="runs/ and what is trained with which model"
        ),
    ] = None
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, written into the metadata.")] = None
    data_licence: Annotated[str | None, typer.Option(help="Licence of the data, written beside it.")] = None
    force: ForceOption = False
    quiet: QuietOption = False

    @property
    def licences(self) -> dict[str, Any]:
        """As the settings of a training have them."""
        return {"licence": self.licence, "data_licence": self.data_licence}


def option_values(*groups: Any) -> dict[str, Any]:
    """The options of ``groups`` by name, as the settings of a training are called; ``model_options`` as an object."""
    values = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}
    return values | {"model_options": json_object(values["model_options"], "--model-options")}


def number_range(text: str, option: str) -> tuple[float, float]:
    """The two numbers of ``LEAST,GREATEST``."""
    try:
        least, greatest = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"{option} is two numbers joined by a comma, as 0,50, not {text!r}") from error
    return least, greatest


def picture_size(text: str) -> tuple[int, int]:
    """(height, width) of ``SIDE`` or ``HEIGHTxWIDTH``."""
    try:
        height, _, width = text.partition("x")
        return int(height), int(width or height)
    except ValueError as error:
        raise InputError(f"--image-size is SIDE or HEIGHTxWIDTH, as 320 or 256x320, not {text!r}") from error


def run_training(kind: str, settings: TrainingSettings, output: Output) -> None:
    """Train that ``kind``, and print the path of the checkpoint."""
    leave_interruption_to_the_first()
    checkpoint = train_with(kind, settings, output.output, force=output.force, quiet=output.quiet)
    if checkpoint is not None:
        echo(checkpoint)
