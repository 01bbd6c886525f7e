"""Options of the trainings that learn classes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.training.commands.options import (
    OptimizerOption,
    WeightDecayOption,
)
from edgevision.training.commands.run_training import TRAINING_PANEL
from edgevision.training.settings import Balance, Optimizer

EpochsOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="Times that everything is seen.")]
BatchSizeOption = Annotated[int, typer.Option(min=1, max=65536, help="Samples a step and device.")]
ValFractionOption = Annotated[
    float, typer.Option(help="Part of each class held out for validation if the data has no val split.")
]
BalanceOption = Annotated[
    Balance, typer.Option(help="For classes of unequal size: weigh the loss, or draw samples evenly.")
]
DropoutOption = Annotated[float, typer.Option(min=0, max=0.9, help="Before the last layer, against overfitting.")]


@dataclass(frozen=True, kw_only=True)
class LabelledTrainingOptions:
    """How they learn; each has its own length."""

    panel: ClassVar[str] = TRAINING_PANEL

    epochs: EpochsOption
    batch_size: BatchSizeOption
    optimizer: OptimizerOption = Optimizer.ADAMW
    learning_rate: Annotated[float, typer.Option(help="The highest of the one-cycle schedule.")] = 0.002
    weight_decay: WeightDecayOption = 0.0005
    label_smoothing: Annotated[
        float, typer.Option(min=0, max=0.5, help="Part of each label spread over all classes.")
    ] = 0.0
    patience: Annotated[int | None, typer.Option(min=1, help="Stop after so many epochs without a better F1.")] = None
