"""The verb ``edgevision train classify``."""

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
from edgevision.training.settings import Augmentation, Balance, ClassifierSettings, Mix


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        str, typer.Option(help="Folder or zip of [train/]CLASS/picture, or 'digits', which is built in.")
    ] = "digits"
    image_size: Annotated[
        int | None,
        typer.Option(min=8, max=4096, help="Side in pixels.", show_default="the data's own up to 64, else 224"),
    ] = None
    color: Annotated[
        Color | None, typer.Option(help="What the network sees.", show_default="rgb; gray for the digits")
    ] = None
    val_fraction: ValFractionOption = 0.1
    augment: Annotated[
        list[Augmentation] | None, typer.Option(help="Vary the pictures; give it once for each kind.")
    ] = None
    mix: Annotated[
        list[Mix] | None, typer.Option(help="Mix pictures and their labels; of several kinds each batch has one.")
    ] = None
    balance: BalanceOption = Balance.NONE


@dataclass(frozen=True, kw_only=True)
class _Network:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="cnn2, cnn3, cnn4, resnet20, resnet32, resnet44, resnet56, mobilenet, mobilevit, vit, pyramid,"
            " row_lstm.",
        ),
    ] = "cnn3"
    model_options: ModelOptionsOption = "{}"
    dropout: DropoutOption = 0.0


@dataclass(frozen=True, kw_only=True)
class _Training(LabelledTrainingOptions):
    epochs: EpochsOption = 10
    batch_size: BatchSizeOption = 128


@dataclass(frozen=True, kw_only=True)
class _Privacy:
    panel: ClassVar[str] = "Privacy"

    private: Annotated[
        bool, typer.Option("--private", help="Learn so that the weights do not tell whether a picture was there.")
    ] = False
    epsilon: Annotated[float, typer.Option(min=0.01, max=1000, help="How much they may tell.")] = 8.0
    delta: Annotated[
        float, typer.Option(min=1e-12, max=0.1, help="With what probability more; below one of the pictures' number.")
    ] = 1e-5
    clip: Annotated[float, typer.Option(min=1e-6, help="How long the gradient of a picture may be.")] = 1.0


@option_groups
def classify(
    *,
    data: _Data,
    network: _Network,
    training: _Training,
    privacy: _Privacy,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a classifier on class folders.

    The same command resumes an interrupted training. The folder gets NAME.pt, history.jsonl and settings.json.
    On a CPU expect seconds for a hundred pictures of 32 pixels, and an hour for thousands of 224.

    Examples:
        edgevision train classify
        edgevision train classify --data photos.zip --model mobilenet --epochs 30 --augment flip --patience 5
        edgevision train classify --private --epsilon 8 --epochs 30
        edgevision train classify --data photos.zip --model vit --epochs 200 --augment flip --augment shift --mix cutmix
    """
    kinds = {"augment": tuple(data.augment or ()), "mix": tuple(data.mix or ())}
    chosen = option_values(data, network, training, privacy, hardware) | kinds
    settings = ClassifierSettings(**chosen, **output.licences, seed=seed)
    run_training("classify", settings, output)
