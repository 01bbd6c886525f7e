"""The verb ``edgevision train detect``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.training.commands.options import (
    BackboneOption,
    ModelOptionsOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Hardware,
    Output,
    SteppedTraining,
    number_range,
    option_values,
    picture_size,
    run_training,
)
from edgevision.training.train import training_settings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[str, typer.Option(help="Folder or zip of pictures with boxes: VOC's XML, COCO's JSON, YOLO's txt.")]
    image_size: Annotated[str, typer.Option(help="SIDE or HEIGHTxWIDTH in pixels, multiples of 32.")] = "320"
    multi_scale: Annotated[float, typer.Option(help="By how much the sides of a batch may differ, as a share.")] = 0.2
    mosaic: Annotated[float, typer.Option(help="Share of the examples put together from four pictures.")] = 0.5
    mixup: Annotated[float, typer.Option(help="Share of the examples laid over another.")] = 0.1
    zoom: Annotated[str, typer.Option(help="LEAST,GREATEST scale of a picture.")] = "0.6,1.6"
    rotate: Annotated[float, typer.Option(help="Turn by up to so many degrees.")] = 0.0
    flip: Annotated[bool, typer.Option(help="Mirror half of the pictures.")] = True
    turn: Annotated[bool, typer.Option("--turn", help="By quarter turns too, for things without an upside.")] = False
    colour: Annotated[float, typer.Option(help="Change brightness, contrast and saturation by up to such a share.")] = (
        0.3
    )


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="pyramid_detector, or the published csp_detector.")] = (
        "pyramid_detector"
    )
    model_options: ModelOptionsOption = "{}"
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint of the same network and classes whose weights to begin with.")
    ] = None
    backbone: BackboneOption = None


@option_groups
def detect(
    *,
    data: _Data,
    network: _Network,
    training: SteppedTraining,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a detector on pictures with boxes.

    Without a val split a tenth of the pictures, chosen by file name, is held out. The same command resumes an
    interrupted training. 2,000 steps at 192x256 took 32 minutes on a busy core, of which it had about a fifth.

    Examples:
        edgevision train detect --data cells.zip --image-size 256x320 --turn
        edgevision train detect --data annotated/ --steps 8000 --precision bf16
        edgevision train detect --data annotated/ --backbone cifar10-pyramid/pyramid.pt
    """
    chosen = option_values(data, network, training, hardware) | {
        "image_size": picture_size(data.image_size),
        "start_from": None if network.start_from is None else str(network.start_from),
        "backbone": None if network.backbone is None else str(network.backbone),
        "zoom": number_range(data.zoom, "--zoom"),
    }
    chosen |= {**output.licences, "seed": seed}
    run_training("detect", training_settings("detect", chosen.pop("data"), **chosen), output)
