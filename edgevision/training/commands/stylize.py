"""The verb ``edgevision train stylize``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import StepsOption
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


@dataclass(frozen=True, kw_only=True)
class _Data(CropData):
    styles: Annotated[
        list[Path],
        typer.Option("--style", help="A painting, whose file's name names the style; give it once for each."),
    ]
    style_size: Annotated[
        int, typer.Option(min=32, max=4096, help="Longer side that paintings are brought to; more, larger strokes.")
    ] = 384
    crop: CropOption = 256


@dataclass(frozen=True, kw_only=True)
class _Network(CropNetwork):
    model: ModelOption = "style_net"


@dataclass(frozen=True, kw_only=True)
class _Training(CropTraining):
    style_weight: Annotated[float, typer.Option(help="How much the style counts beside what is shown.")] = 10.0
    steps: StepsOption = 2000
    batch_size: CropsAStepOption = 4


@option_groups
def stylize(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that paints photographs in the styles of some paintings, or in a mixture of them.

    A tenth of the photographs, chosen by file name, is held out. The same command resumes an interrupted training.
    1,803 steps of 16 crops took 4 minutes on a busy GPU (H200).

    Examples:
        edgevision train stylize --data photos --style wave.jpg --style starry.jpg
    """
    styles = tuple(map(str, data.styles))
    train_on_crops("stylize", data, network, training, hardware, output=output, seed=seed, styles=styles)
