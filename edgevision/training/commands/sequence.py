"""The verb ``edgevision train sequence``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.modelfiles.metadata import Color
from edgevision.training.commands.labelled_options import (
    BalanceOption,
    BatchSizeOption,
    DropoutOption,
    EpochsOption,
    LabelledTrainingOptions,
    ValFractionOption,
)
from edgevision.training.commands.options import (
    ModelOptionsOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    Hardware,
    Output,
    option_values,
    run_training,
)
from edgevision.training.settings import MOVING_DIGITS, Balance, SequenceSettings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        str,
        typer.Option(
            help="Folder or zip of [train/]CLASS/CLIP, a folder of frames, a GIF or a video each;"
            f" or '{MOVING_DIGITS}', which is built in."
        ),
    ] = MOVING_DIGITS
    frames: Annotated[int, typer.Option(min=1, max=4096, help="Length of the windows that are learned from.")] = 16
    every: Annotated[int, typer.Option(min=1, max=1000, help="Of so many frames of a clip take one.")] = 1
    image_size: Annotated[
        int | None,
        typer.Option(min=8, max=4096, help="Side of a frame in pixels.", show_default="112; 32 for the moving digits"),
    ] = None
    color: Annotated[
        Color | None, typer.Option(help="What the network sees.", show_default="rgb; gray for the moving digits")
    ] = None
    val_fraction: ValFractionOption = 0.1
    balance: BalanceOption = Balance.NONE


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="cnn_gru, cnn_lstm, temporal_shift.")] = "cnn_gru"
    model_options: ModelOptionsOption = "{}"
    dropout: DropoutOption = 0.0


@dataclass(frozen=True, kw_only=True)
class _Training(LabelledTrainingOptions):
    epochs: EpochsOption = 14
    batch_size: BatchSizeOption = 32


@option_groups
def sequence(
    *, data: _Data, network: _Network, training: _Training, hardware: Hardware, output: Output, seed: SeedOption = 0
) -> None:
    """Train a network that says what is going on, frame by frame, on clips in class folders.

    The same command resumes an interrupted training. The folder gets NAME.pt, history.jsonl and settings.json.
    The built-in clips took 5 minutes on one core of a server; others take longer by their frames and their pixels.

    Examples:
        edgevision train sequence
        edgevision train sequence --data gestures.zip --every 3 --frames 20 --epochs 40 --balance weights
        edgevision train sequence --data gestures/ --model temporal_shift --precision bf16
    """
    chosen = option_values(data, network, training, hardware)
    run_training("sequence", SequenceSettings(**chosen, **output.licences, seed=seed), output)
