"""The verb ``edgevision train compress``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.core.errors import InputError
from edgevision.training.commands.options import (
    EmaOption,
    FlipCropsOption,
    LearningRateOption,
    ModelOptionsOption,
    StartFromOption,
    StepsOption,
    ValidateEveryOption,
    WarmupOption,
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

    data: Annotated[list[str], typer.Option(help="Folder or zip of good photographs; give it once for each.")]
    crop: Annotated[int, typer.Option(min=64, max=4096, help="Side of the crops in pixels.")] = 128
    zoom: ZoomOption = 0.5
    flip: FlipCropsOption = True
    gray: Annotated[float, typer.Option(help="Part of the crops that lose their colour.")] = 0.1


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="The network.")] = "hyperprior"
    model_options: ModelOptionsOption = "{}"
    start_from: StartFromOption = None
    decoder_only: Annotated[
        bool, typer.Option("--decoder-only", help="Leave what compresses as it is; the last training of several.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class _Training(SteppedTraining):
    distortion_weights: Annotated[
        str,
        typer.Option(help="One for each quality, rising: what an error counts beside a bit, of samples in 0..255."),
    ] = "0.002,0.006,0.016"
    steps: StepsOption = 10_000
    validate_every: ValidateEveryOption = 500
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Crops a step and device.")] = 8
    ema: EmaOption = 0.999
    learning_rate: LearningRateOption = 0.0012
    warmup: WarmupOption = 200
    weight_decay: WeightDecayOption = 0.0


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
    About 1,600 steps of 64 crops of 192 pixels took 2 minutes on a GPU (H200).

    Examples:
        edgevision train compress --data photos --steps 20000
        edgevision train compress --data photos --distortion-weights 0.004,0.012 -o runs/two_qualities
    """
    chosen = option_values(data, network, training, hardware) | {
        "distortion_weights": _weights(training.distortion_weights),
        **output.licences,
        "seed": seed,
    }
    run_training("compress", training_settings("compress", chosen.pop("data"), **chosen), output)


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise InputError(f"--distortion-weights is numbers joined by commas, as 0.004,0.012, not {text!r}") from error
