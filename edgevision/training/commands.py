"""The verb ``edgevision train``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.commandline import ForceOption, QuietOption, SeedOption, json_object
from edgevision.errors import MissingExtraError
from edgevision.metadata import Color
from edgevision.training.settings import Augmentation, Balance, ClassifierSettings, MixedPrecision, Optimizer


def classify(
    data: Annotated[
        str,
        typer.Option(help="Folder or zip of [train/]CLASS/picture, or 'digits', which is built in."),
    ] = "digits",
    model: Annotated[
        str, typer.Option("--model", "-m", help="cnn2, cnn3, cnn4, resnet20, resnet32, resnet44, resnet56, mobilenet.")
    ] = "cnn3",
    model_options: Annotated[
        str, typer.Option(help='More options of the network as JSON, e.g. \'{"shortcut": "B"}\'.')
    ] = "{}",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of this training; runs/DATA-MODEL by default.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures a step and device.")] = 128,
    optimizer: Optimizer = Optimizer.ADAMW,
    learning_rate: Annotated[float, typer.Option(help="The highest of the one-cycle schedule.")] = 0.002,
    weight_decay: Annotated[float, typer.Option(help="Pulls weights to zero, against overfitting.")] = 0.0005,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="In the dense head, against overfitting.")] = 0.0,
    label_smoothing: Annotated[float, typer.Option(min=0, max=0.5)] = 0.0,
    augment: Annotated[
        list[Augmentation] | None, typer.Option(help="Vary the pictures; give it once for each kind.")
    ] = None,
    balance: Annotated[
        Balance, typer.Option(help="For classes of unequal size: weigh the loss, or draw pictures evenly.")
    ] = Balance.NONE,
    image_size: Annotated[
        int | None, typer.Option(min=8, help="Side in pixels; by default the data's own up to 64, else 224.")
    ] = None,
    color: Annotated[Color | None, typer.Option(help="By default rgb, and gray for the digits.")] = None,
    val_fraction: Annotated[
        float, typer.Option(help="Part of each class held out for validation if the data has no val part.")
    ] = 0.1,
    patience: Annotated[int | None, typer.Option(min=1, help="Stop after so many epochs without a better F1.")] = None,
    precision: Annotated[MixedPrecision, typer.Option(help="auto: what the device has.")] = MixedPrecision.AUTO,
    devices: Annotated[int, typer.Option(min=1, help="Processes on this host, one a device.")] = 1,
    nodes: Annotated[
        int, typer.Option(min=1, help="Hosts; each runs this command with MASTER_ADDR and NODE_RANK set.")
    ] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode pictures too many to keep.")] = 2,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, written into the metadata.")] = None,
    seed: SeedOption = 0,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a classifier on class folders.

    The same command resumes an interrupted training. The folder gets NAME.pt, history.jsonl and settings.json.
    """
    try:
        from edgevision.training.classify import train_classifier
    except ImportError as error:
        raise MissingExtraError(error.name or "a package", "train") from error
    settings = ClassifierSettings(
        data=data,
        model=model,
        model_options=json_object(model_options, "--model-options"),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dropout=dropout,
        label_smoothing=label_smoothing,
        augment=tuple(augment or ()),
        balance=balance,
        image_size=image_size,
        color=color,
        val_fraction=val_fraction,
        patience=patience,
        precision=precision,
        seed=seed,
        devices=devices,
        nodes=nodes,
        workers=workers,
        licence=licence,
    )
    folder = output or Path("runs") / f"{Path(data).stem}-{model}"
    result = train_classifier(settings, folder, force=force, quiet=quiet)
    if result is not None:
        typer.echo(result)
