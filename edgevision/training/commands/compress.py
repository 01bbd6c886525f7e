"""The verb ``edgevision train compress``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.core.errors import InputError
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
from edgevision.training.settings import Optimizer
from edgevision.training.train import training_settings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[list[str], typer.Option(help="Folder or zip of good photographs; give it once for each.")]
    crop: Annotated[int, typer.Option(min=64, max=4096, help="Side of the crops in pixels.")] = 128
    zoom: Annotated[float, typer.Option(help="Least scale that photographs are shrunk to before cropping.")] = 0.5
    flip: Annotated[bool, typer.Option(help="Mirror and turn the crops.")] = True
    gray: Annotated[float, typer.Option(help="Part of the crops that lose their colour.")] = 0.1


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="The network.")] = "hyperprior"
    model_options: ModelOptionsOption = "{}"
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint of the same network whose weights to begin with.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Training:
    panel: ClassVar[str] = TRAINING_PANEL

    distortion_weights: Annotated[
        str,
        typer.Option(help="One for each quality, rising: what an error counts beside a bit, of samples in 0..255."),
    ] = "0.002,0.006,0.016"
    steps: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")] = 10_000
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations, where it can resume; --steps is a multiple.")
    ] = 500
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 8
    ema: Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept; 0 for none.")] = 0.999
    optimizer: Annotated[Optimizer, typer.Option(help="The update rule.")] = Optimizer.MUON
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls along half a cosine.")] = 0.0012
    warmup: Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")] = 200
    weight_decay: Annotated[float, typer.Option(help="Pulls weights to zero, against overfitting.")] = 0.0


@option_groups
def compress(
    *,
    data: _Data,
    network: _Network,
    training: _Training,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a network that compresses photographs, in several qualities at once.

    A tenth of them, chosen by file name, is held out. The same command resumes an interrupted training.

    Examples:
        edgevision train compress --data photos --steps 20000
        edgevision train compress --data photos --distortion-weights 0.004,0.012 -o runs/two_qualities
    """
    chosen = option_values(data, network, training, hardware) | {
        "distortion_weights": _weights(training.distortion_weights),
        "licence": output.licence,
        "seed": seed,
    }
    run_training("compress", training_settings("compress", chosen.pop("data"), **chosen), output)


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise InputError(f"--distortion-weights is numbers joined by commas, as 0.004,0.012, not {text!r}") from error
