"""The option groups of trainings that learn from crops of pictures; each adds its own."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from edgevision.training.commands.options import (
    FlipCropsOption,
    ModelOptionsOption,
    StartFromOption,
    WeightDecayOption,
    ZoomOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Output,
    SteppedTraining,
    option_values,
    run_training,
)
from edgevision.training.train import training_settings

ModelOption = Annotated[str, typer.Option("--model", "-m", help="The network; there is one.")]
CropOption = Annotated[int, typer.Option(min=32, max=4096, help="Side of the crops in pixels.")]
CropsAStepOption = Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")]


@dataclass(frozen=True, kw_only=True)
class CropData:
    """What is seen of which pictures."""

    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[list[str], typer.Option(help="Folder or zip of good photographs; give it once for each.")]
    zoom: ZoomOption = 0.5
    flip: FlipCropsOption = True


@dataclass(frozen=True, kw_only=True)
class CropNetwork:
    """Which network, and what it begins with."""

    panel: ClassVar[str] = NETWORK_PANEL

    model_options: ModelOptionsOption = "{}"
    start_from: StartFromOption = None


@dataclass(frozen=True, kw_only=True)
class CropTraining(SteppedTraining):
    """How long it learns from batches of crops."""

    weight_decay: WeightDecayOption = 0.0


def train_on_crops(kind: str, *groups: Any, output: Output, seed: int, **others: Any) -> None:
    """Train that ``kind`` with the options of ``groups``, of which ``others`` have to be read first."""
    chosen = option_values(*groups) | others | {**output.licences, "seed": seed}
    run_training(kind, training_settings(kind, chosen.pop("data"), **chosen), output)
