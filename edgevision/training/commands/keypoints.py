"""The verb ``edgevision train keypoints``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.training.commands.options import (
    ModelOptionsOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Hardware,
    Output,
    SteppedTraining,
    option_values,
    picture_size,
    run_training,
)
from edgevision.training.train import training_settings


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

    model: Annotated[str, typer.Option("--model", "-m", help="keypoint_net, or the published point_regressor.")] = (
        "keypoint_net"
    )
    model_options: ModelOptionsOption = "{}"


@dataclass(frozen=True, kw_only=True)
class _Training(SteppedTraining):
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 64


@option_groups
def keypoints(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that finds points on one thing in a crop, as the landmarks of a face.

    The same command resumes an interrupted training. 3,000 steps of 32 crops of 96 pixels took 52 minutes on a busy
    core, of which it had about a quarter.

    Examples:
        edgevision train keypoints --data faces.zip --scheme face68 --groups '^(.+)_[0-9]+'
        edgevision train keypoints --data people/ --image-size 256x192 --precision bf16
    """
    chosen = option_values(data, network, training, hardware) | {"image_size": picture_size(data.image_size)}
    chosen |= {**output.licences, "seed": seed}
    run_training("keypoints", training_settings("keypoints", chosen.pop("data"), **chosen), output)
