"""The verb ``edgevision train keypoints``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.core.errors import InputError
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    TRAINING_PANEL,
    Hardware,
    ModelOptionsOption,
    Output,
    option_values,
    run_training,
)
from edgevision.training.settings import KeypointSettings, Optimizer


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        str, typer.Option(help="Folder or zip of pictures with points: COCO's JSON, or CSV of NAME,x0,y0,x1,y1,...")
    ]
    scheme: Annotated[
        str | None,
        typer.Option(
            help=f"What the points are: {', '.join(SCHEMES)}; says their names, what is joined and what swaps.",
            show_default="what the data say",
        ),
    ] = None
    groups: Annotated[
        str | None,
        typer.Option(
            help="Regular expression that finds in a picture's name what it shows; a tenth of these is held out.",
            show_default="a tenth of the pictures, or the val split",
        ),
    ] = None
    image_size: Annotated[str, typer.Option(help="SIDE or HEIGHTxWIDTH of the crops in pixels, multiples of 16.")] = (
        "96"
    )
    margin: Annotated[float, typer.Option(help="How much a thing's box grows before it is cut out, as a share.")] = 0.4
    jitter: Annotated[float, typer.Option(help="Move, grow and shrink boxes by up to such a share.")] = 0.2
    rotate: Annotated[float, typer.Option(help="Turn by up to so many degrees.")] = 30.0
    flip: Annotated[bool, typer.Option(help="Mirror half of the crops, if it is known what swaps.")] = True
    colour: Annotated[float, typer.Option(help="Change brightness, contrast and saturation by up to such a share.")] = (
        0.3
    )
    sigma: Annotated[float, typer.Option(help="Standard deviation of a point in its heat map, in cells.")] = 1.0


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="keypoint_net.")] = "keypoint_net"
    model_options: ModelOptionsOption = "{}"


@dataclass(frozen=True, kw_only=True)
class _Training:
    panel: ClassVar[str] = TRAINING_PANEL

    steps: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")] = 4000
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations, where it can resume; --steps is a multiple.")
    ] = 250
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 64
    ema: Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept; 0 for none.")] = 0.998
    optimizer: Annotated[Optimizer, typer.Option(help="The update rule.")] = Optimizer.MUON
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls along half a cosine.")] = 0.003
    warmup: Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")] = 100
    weight_decay: Annotated[float, typer.Option(help="Pulls weights to zero, against overfitting.")] = 0.01


@option_groups
def keypoints(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that finds points on one thing in a crop, as the landmarks of a face.

    The same command resumes an interrupted training.

    Examples:
        edgevision train keypoints --data faces.zip --scheme face68 --groups '^(.+)_[0-9]+'
        edgevision train keypoints --data people/ --image-size 256x192 --precision bf16
    """
    chosen = option_values(data, network, training, hardware) | {"image_size": _size(data.image_size)}
    run_training("keypoints", KeypointSettings(**chosen, licence=output.licence, seed=seed), output)


def _size(text: str) -> tuple[int, int]:
    try:
        height, _, width = text.partition("x")
        return int(height), int(width or height)
    except ValueError as error:
        raise InputError(f"--image-size is SIDE or HEIGHTxWIDTH, as 96 or 256x192, not {text!r}") from error
