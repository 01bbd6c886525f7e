"""The verb ``edgevision train translate``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import (
    LearningRateOption,
    ModelOptionsOption,
    OptimizerOption,
    StartFromOption,
    StepsOption,
    ValidateEveryOption,
    WeightDecayOption,
    ZoomOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Hardware,
    Output,
    SteppedTraining,
    option_values,
    run_training,
)
from edgevision.training.settings import Optimizer
from edgevision.training.train import training_settings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        list[str],
        typer.Option(
            help="Folder or zip of pairs: two pictures side by side in each file, or of one name in folders A and B;"
            " give it once for each."
        ),
    ]
    given: Annotated[str, typer.Option(help="What the left picture, or that in A, is.")] = "A"
    made: Annotated[str, typer.Option(help="What the right picture, or that in B, is.")] = "B"
    swap: Annotated[bool, typer.Option("--swap", help="Make the left picture of the right one.")] = False
    groups: Annotated[
        str | None,
        typer.Option(
            help="Regular expression that finds in a file's name what it shows, as a person; a tenth is held out."
        ),
    ] = None
    crop: Annotated[int, typer.Option(min=32, max=4096, help="Side of the crops in pixels.")] = 128
    zoom: ZoomOption = 1.0
    flip: Annotated[bool, typer.Option(help="Mirror the crops.")] = True
    turn: Annotated[bool, typer.Option("--turn", help="Turn them, too, where no side is up.")] = False


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="translation_unet.")] = "translation_unet"
    model_options: ModelOptionsOption = "{}"
    start_from: StartFromOption = None


@dataclass(frozen=True, kw_only=True)
class _Training(SteppedTraining):
    adversarial: Annotated[
        float,
        typer.Option(help="The discriminator's gradient over that of the error; more invents more, 0 blurs."),
    ] = 1.0
    discriminator_width: Annotated[
        int, typer.Option(min=1, max=1024, help="Channels of the discriminator's first layer.")
    ] = 64
    steps: StepsOption = 20_000
    validate_every: ValidateEveryOption = 1000
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 16
    optimizer: OptimizerOption = Optimizer.ADAMW
    learning_rate: LearningRateOption = 0.0004
    weight_decay: WeightDecayOption = 0.0


@option_groups
def translate(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that turns pictures of one kind into another, as edges into photographs (pix2pix).

    A tenth of the pairs, chosen by file name or group, is held out. The same command resumes an interrupted training.
    1,200 steps of 4 crops of 128 pixels took 24 minutes on a busy core; 5,147 of 32 took 4 on a GPU (H200).

    Examples:
        edgevision train translate --data pairs --given edges --made photograph
        edgevision train translate --data faces --groups '^(.+)_[0-9]+' --adversarial 0.7
    """
    chosen = option_values(data, network, training, hardware) | {**output.licences, "seed": seed}
    run_training("translate", training_settings("translate", chosen.pop("data"), **chosen), output)
