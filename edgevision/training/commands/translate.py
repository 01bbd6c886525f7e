"""The verb ``edgevision train translate``."""

from dataclasses import dataclass
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import (
    LearningRateOption,
    OptimizerOption,
    StepsOption,
    ZoomOption,
)
from edgevision.training.commands.photo_options import (
    CropData,
    CropNetwork,
    CropOption,
    CropsAStepOption,
    CropTraining,
    ModelOption,
    train_on_crops,
)
from edgevision.training.commands.run_training import Hardware, Output
from edgevision.training.settings import Optimizer


@dataclass(frozen=True, kw_only=True)
class _Data(CropData):
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
    crop: CropOption = 128
    zoom: ZoomOption = 1.0
    flip: Annotated[bool, typer.Option(help="Mirror the crops.")] = True
    turn: Annotated[bool, typer.Option("--turn", help="Turn them, too, where no side is up.")] = False


@dataclass(frozen=True, kw_only=True)
class _Network(CropNetwork):
    model: ModelOption = "translation_unet"


@dataclass(frozen=True, kw_only=True)
class _Training(CropTraining):
    adversarial: Annotated[
        float,
        typer.Option(help="The discriminator's gradient over that of the error; more invents more, 0 blurs."),
    ] = 1.0
    discriminator_width: Annotated[
        int, typer.Option(min=1, max=1024, help="Channels of the discriminator's first layer.")
    ] = 64
    steps: StepsOption = 20_000
    batch_size: CropsAStepOption = 16
    optimizer: OptimizerOption = Optimizer.ADAMW
    learning_rate: LearningRateOption = 0.0004


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
    train_on_crops("translate", data, network, training, hardware, output=output, seed=seed)
