"""The verb ``edgevision train``."""

import os
import signal
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import ForceOption, QuietOption, SeedOption
from edgevision.cli.output import echo
from edgevision.cli.values import json_object
from edgevision.core.errors import InputError
from edgevision.core.extras import brought_by
from edgevision.modelfiles.metadata import Color, Task
from edgevision.training.settings import (
    RESTORATION_DEFAULTS,
    Augmentation,
    Balance,
    ClassifierSettings,
    DiffAugment,
    GanLoss,
    GanSettings,
    MixedPrecision,
    Optimizer,
    RestorationSettings,
    TrainingSettings,
    VaeSettings,
)

OptimizerOption = Annotated[Optimizer, typer.Option(help="The update rule.")]


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What every training takes, beside its own."""

    model_options: Annotated[
        str, typer.Option(help='More options of the network as JSON, e.g. \'{"shortcut": "B"}\'.')
    ] = "{}"
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of this training; by default runs/ and what is trained."),
    ] = None
    precision: Annotated[MixedPrecision, typer.Option(help="auto: what the device has.")] = MixedPrecision.AUTO
    devices: Annotated[int, typer.Option(min=1, max=1024, help="Processes on this host, one a device.")] = 1
    nodes: Annotated[
        int, typer.Option(min=1, max=4096, help="Hosts; each runs this command with MASTER_ADDR and NODE_RANK set.")
    ] = 1
    workers: Annotated[int, typer.Option(min=0, max=256, help="Processes that decode pictures too many to keep.")] = 2
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, written into the metadata.")] = None
    seed: SeedOption = 0
    force: ForceOption = False
    quiet: QuietOption = False

    def knobs(self) -> dict[str, Any]:
        """The fields of :class:`TrainingSettings` among them."""
        return {
            "model_options": json_object(self.model_options, "--model-options"),
            "precision": self.precision,
            "devices": self.devices,
            "nodes": self.nodes,
            "workers": self.workers,
            "licence": self.licence,
            "seed": self.seed,
        }


@option_groups
def classify(
    data: Annotated[
        str,
        typer.Option(help="Folder or zip of [train/]CLASS/picture, or 'digits', which is built in."),
    ] = "digits",
    model: Annotated[
        str, typer.Option("--model", "-m", help="cnn2, cnn3, cnn4, resnet20, resnet32, resnet44, resnet56, mobilenet.")
    ] = "cnn3",
    epochs: Annotated[int, typer.Option(min=1, max=1_000_000)] = 10,
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Pictures a step and device.")] = 128,
    optimizer: OptimizerOption = Optimizer.ADAMW,
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
        int | None, typer.Option(min=8, max=4096, help="Side in pixels; by default the data's own up to 64, else 224.")
    ] = None,
    color: Annotated[Color | None, typer.Option(help="By default rgb, and gray for the digits.")] = None,
    val_fraction: Annotated[
        float, typer.Option(help="Part of each class held out for validation if the data has no val part.")
    ] = 0.1,
    patience: Annotated[int | None, typer.Option(min=1, help="Stop after so many epochs without a better F1.")] = None,
    *,
    options: _Options,
) -> None:
    """Train a classifier on class folders.

    The same command resumes an interrupted training. The folder gets NAME.pt, history.jsonl and settings.json.
    """
    settings = ClassifierSettings(
        data=data,
        model=model,
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
        **options.knobs(),
    )
    _train("edgevision.training.classify:train_classifier", settings, Path(data).stem, options)


@option_groups
def restore(
    kind: Annotated[Task, typer.Option(help="inpaint, denoise, upscale or brighten.")],
    data: Annotated[list[str], typer.Option(help="Folder or zip of good photographs; give it once for each.")],
    scale: Annotated[int | None, typer.Option(min=2, help="Of upscaling; by default 2.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="inpaint_unet, denoise_unet, subpixel or curves.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")] = 10_000,
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between validations, where it can resume; by default up to 500.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=65536, help="Crops a step and device.")] = None,
    crop: Annotated[int | None, typer.Option(min=16, max=4096, help="Side of the crops in pixels.")] = None,
    zoom: Annotated[float, typer.Option(help="Least scale that photographs are shrunk to before cropping.")] = 0.5,
    flip: Annotated[bool, typer.Option(help="Mirror and turn the crops.")] = True,
    sigma: Annotated[str, typer.Option(help="LEAST,GREATEST noise to remove, of 255.")] = "0,50",
    gray: Annotated[float | None, typer.Option(help="Part of the crops to denoise that lose their colour.")] = None,
    loss: Annotated[
        str | None, typer.Option(help="Terms and weights, as l1=1,ssim=0.1; also l2, psnr, edge, perceptual.")
    ] = None,
    perceptual_model: Annotated[
        Path | None, typer.Option(help="Checkpoint of a classifier made by edgevision, for the perceptual loss.")
    ] = None,
    ema: Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept; 0 for none.")] = 0.999,
    optimizer: OptimizerOption = Optimizer.MUON,
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls along half a cosine.")] = 0.003,
    warmup: Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")] = 200,
    weight_decay: float = 0.0,
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint of the same network whose weights to begin with.")
    ] = None,
    *,
    options: _Options,
) -> None:
    """Train a network that inpaints, denoises, upscales or brightens, on good photographs that are damaged on purpose.

    A tenth of them, chosen by file name, is held out. The same command resumes an interrupted training.
    """
    if kind not in RESTORATION_DEFAULTS:
        raise InputError(f"--kind must be one of {', '.join(RESTORATION_DEFAULTS)}, not {kind.value!r}")
    if scale and kind is not Task.UPSCALE:
        raise InputError(f"--scale is for upscaling; {kind} keeps the size")
    defaults = RESTORATION_DEFAULTS[kind]
    settings = RestorationSettings(
        kind=kind,
        data=tuple(data),
        scale=scale or (2 if kind is Task.UPSCALE else 1),
        model=model or defaults.model,
        steps=steps,
        validate_every=validate_every or max(every for every in range(1, 501) if steps % every == 0),
        batch_size=batch_size or defaults.batch_size,
        crop=crop or defaults.crop,
        zoom=zoom,
        flip=flip,
        sigma=_range(sigma),
        gray=defaults.gray if gray is None else gray,
        loss=_loss(loss) if loss else defaults.loss,
        perceptual_model=str(perceptual_model) if perceptual_model else None,
        ema=ema,
        optimizer=optimizer,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        start_from=str(start_from) if start_from else None,
        **options.knobs(),
    )
    _train("edgevision.training.restore:train_restorer", settings, kind.value, options)


DataOption = Annotated[
    str, typer.Option(help="Folder or zip of [train/][CLASS/]picture, or 'digits', which is built in.")
]
StepsOption = Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Batches in all.")]
SampleEveryOption = Annotated[
    int, typer.Option(min=1, help="Steps between sheets of samples, where it can resume too.")
]
BatchOption = Annotated[int, typer.Option(min=2, max=65536, help="Pictures a step and device.")]
RateOption = Annotated[float, typer.Option(help="Even for half of the steps, then falling to nothing.")]
SizeOption = Annotated[
    int | None, typer.Option(min=8, max=4096, help="Side in pixels; by default the data's own up to 64, else 64.")
]
ColorOption = Annotated[Color | None, typer.Option(help="rgb or gray; by default rgb, and gray for the digits.")]
FlipOption = Annotated[bool, typer.Option("--flip", help="Mirror half of the pictures.")]
EmaOption = Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept.")]
ClassifierOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint of a residual classifier: its features judge the samples and choose the best step."),
]


@option_groups
def gan(
    data: DataOption = "digits",
    model: Annotated[str, typer.Option("--model", "-m", help="mlp_gan, dcgan or texture.")] = "dcgan",
    conditional: Annotated[bool, typer.Option("--conditional", help="Learn to draw the class asked for.")] = False,
    image_size: SizeOption = None,
    color: ColorOption = None,
    steps: StepsOption = 5000,
    sample_every: SampleEveryOption = 500,
    batch_size: BatchOption = 64,
    loss: Annotated[GanLoss, typer.Option(help="What generator and discriminator compete by.")] = GanLoss.HINGE,
    optimizer: OptimizerOption = Optimizer.MUON,
    learning_rate: RateOption = 0.0015,
    discriminator_rate: Annotated[float, typer.Option(help="The discriminator's, as a multiple of it.")] = 1.0,
    d_steps: Annotated[int, typer.Option(min=1, help="Updates of the discriminator for one of the generator.")] = 1,
    label_smoothing: Annotated[float, typer.Option(min=0, max=0.5, help="Of real pictures, for bce.")] = 0.0,
    gradient_penalty: Annotated[float, typer.Option(min=0, help="Its weight, for wgan-gp.")] = 10.0,
    augment: Annotated[
        list[DiffAugment] | None, typer.Option(help="Vary what the discriminator sees; give it once for each kind.")
    ] = None,
    flip: FlipOption = False,
    spectral_norm: Annotated[bool, typer.Option(help="In the discriminator.")] = True,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="In the discriminator.")] = 0.0,
    ema: EmaOption = 0.999,
    classifier: ClassifierOption = None,
    class_weight: Annotated[float, typer.Option(min=0, help="Of the classifier's verdict on the class.")] = 0.0,
    weight_decay: float = 0.0,
    *,
    options: _Options,
) -> None:
    """Train a generator of pictures against a discriminator. The same command resumes an interrupted training."""
    settings = GanSettings(
        data=data,
        model=model,
        conditional=conditional,
        image_size=image_size,
        color=color,
        steps=steps,
        sample_every=sample_every,
        batch_size=batch_size,
        loss=loss,
        optimizer=optimizer,
        learning_rate=learning_rate,
        discriminator_rate=discriminator_rate,
        d_steps=d_steps,
        label_smoothing=label_smoothing,
        gradient_penalty=gradient_penalty,
        augment=tuple(augment or ()),
        flip=flip,
        spectral_norm=spectral_norm,
        dropout=dropout,
        ema=ema,
        classifier=str(classifier) if classifier else None,
        class_weight=class_weight,
        weight_decay=weight_decay,
        **options.knobs(),
    )
    _train("edgevision.training.gan:train_gan", settings, Path(data).stem, options)


@option_groups
def vae(
    data: DataOption = "digits",
    model: Annotated[str, typer.Option("--model", "-m", help="conv_vae.")] = "conv_vae",
    image_size: SizeOption = None,
    color: ColorOption = None,
    steps: StepsOption = 5000,
    sample_every: SampleEveryOption = 500,
    batch_size: BatchOption = 64,
    optimizer: OptimizerOption = Optimizer.MUON,
    learning_rate: RateOption = 0.003,
    beta: Annotated[float, typer.Option(help="Weight of the code's divergence from a normal distribution.")] = 1.0,
    flip: FlipOption = False,
    ema: EmaOption = 0.999,
    classifier: ClassifierOption = None,
    weight_decay: float = 0.0,
    *,
    options: _Options,
) -> None:
    """Train a variational autoencoder. The same command resumes an interrupted training."""
    settings = VaeSettings(
        data=data,
        model=model,
        image_size=image_size,
        color=color,
        steps=steps,
        sample_every=sample_every,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        beta=beta,
        flip=flip,
        ema=ema,
        classifier=str(classifier) if classifier else None,
        weight_decay=weight_decay,
        **options.knobs(),
    )
    _train("edgevision.training.vae:train_vae", settings, Path(data).stem, options)


def _train(target: str, settings: TrainingSettings, what: str, options: _Options) -> None:
    """Call ``module:function``, which needs the training extra, and print the path of the checkpoint."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        # A terminal sends Ctrl-C to all, and Lightning kills the user's own process when another ends before it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, function = target.split(":")
    with brought_by("train"):
        train = getattr(import_module(module), function)
    folder = options.output or Path("runs") / f"{what}-{settings.model}"
    result = train(settings, folder, force=options.force, quiet=options.quiet)
    if result is not None:
        echo(result)


def _range(text: str) -> tuple[float, float]:
    try:
        least, greatest = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--sigma is two numbers joined by a comma, as 0,50, not {text!r}") from error
    return least, greatest


def _loss(text: str) -> dict[str, float]:
    try:
        return {name: float(weight) for name, weight in (term.split("=") for term in text.split(","))}
    except ValueError as error:
        raise InputError(f"--loss is terms and weights, as l1=1,ssim=0.1, not {text!r}") from error
