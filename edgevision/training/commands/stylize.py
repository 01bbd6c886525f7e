"""The verb ``edgevision train stylize``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import (
    FlipCropsOption,
    ModelOptionsOption,
    StartFromOption,
    StepsOption,
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
from edgevision.training.train import training_settings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[list[str], typer.Option(help="Folder or zip of photographs; give it once for each.")]
    styles: Annotated[
        list[Path],
        typer.Option("--style", help="A painting, whose file's name names the style; give it once for each."),
    ]
    style_size: Annotated[
        int, typer.Option(min=32, max=4096, help="Longer side that paintings are brought to; more, larger strokes.")
    ] = 384
    crop: Annotated[int, typer.Option(min=32, max=4096, help="Side of the crops in pixels.")] = 256
    zoom: ZoomOption = 0.5
    flip: FlipCropsOption = True


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="style_net.")] = "style_net"
    model_options: ModelOptionsOption = "{}"
    start_from: StartFromOption = None


@dataclass(frozen=True, kw_only=True)
class _Training(SteppedTraining):
    style_weight: Annotated[float, typer.Option(help="How much the style counts beside what is shown.")] = 10.0
    steps: StepsOption = 2000
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 4
    weight_decay: WeightDecayOption = 0.0


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
    chosen = option_values(data, network, training, hardware) | {**output.licences, "seed": seed}
    chosen["styles"] = tuple(map(str, data.styles))
    run_training("stylize", training_settings("stylize", chosen.pop("data"), **chosen), output)
