"""The options that several trainings have in common."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.training.settings import Optimizer

ZoomOption = Annotated[float, typer.Option(help="Least scale that photographs are shrunk to before cropping.")]
FlipCropsOption = Annotated[bool, typer.Option(help="Mirror and turn the crops.")]

ModelOptionsOption = Annotated[
    str,
    typer.Option("--model-options", help="More options of the network as JSON; a wrong name brings the right ones."),
]

BackboneOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint for other classes, or of a classifier, whose layers to begin with where they fit."),
]
StartFromOption = Annotated[
    Path | None, typer.Option(help="Checkpoint of the same network whose weights to begin with.")
]

StepsOption = Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")]
ValidateEveryOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Steps between validations, where it can resume; --steps is a multiple.",
        show_default="some hundred, so that the last step is one",
    ),
]
EmaOption = Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept; 0 for none.")]
OptimizerOption = Annotated[Optimizer, typer.Option(help="The update rule.")]
LearningRateOption = Annotated[float, typer.Option(help="The highest; it falls along half a cosine.")]
WarmupOption = Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")]
WeightDecayOption = Annotated[float, typer.Option(help="Pulls weights to zero, against overfitting.")]
