"""The verb ``edgevision train compress``."""

from dataclasses import dataclass
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.core.errors import InputError
from edgevision.training.commands.options import (
    EmaOption,
    LearningRateOption,
    StepsOption,
    WarmupOption,
)
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
    crop: CropOption = 128
    gray: Annotated[float, typer.Option(help="Part of the crops that lose their colour.")] = 0.1


@dataclass(frozen=True, kw_only=True)
class _Network(CropNetwork):
    model: ModelOption = "hyperprior"
    decoder_only: Annotated[
        bool, typer.Option("--decoder-only", help="Leave what compresses as it is; the last training of several.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class _Training(CropTraining):
    distortion_weights: Annotated[
        str,
        typer.Option(help="One for each quality, rising: what an error counts beside a bit, of samples in 0..255."),
    ] = "0.002,0.006,0.016"
    steps: StepsOption = 10_000
    batch_size: CropsAStepOption = 8
    ema: EmaOption = 0.999
    learning_rate: LearningRateOption = 0.0012
    warmup: WarmupOption = 200


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
    weights = _weights(training.distortion_weights)
    groups = (data, network, training, hardware)
    train_on_crops("compress", *groups, output=output, seed=seed, distortion_weights=weights)


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise InputError(f"--distortion-weights is numbers joined by commas, as 0.004,0.012, not {text!r}") from error
