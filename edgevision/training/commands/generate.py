"""The verbs ``edgevision train gan`` and ``edgevision train vae``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.modelfiles.metadata import Color
from edgevision.training.commands.options import (
    ModelOptionsOption,
    OptimizerOption,
    StepsOption,
    WeightDecayOption,
)
from edgevision.training.commands.run_training import (
    DATA_PANEL,
    NETWORK_PANEL,
    TRAINING_PANEL,
    Hardware,
    Output,
    option_values,
    run_training,
)
from edgevision.training.settings import DiffAugment, GanLoss, GanSettings, Optimizer, VaeSettings


@dataclass(frozen=True, kw_only=True)
class _Data:
    panel: ClassVar[str] = DATA_PANEL

    data: Annotated[
        str, typer.Option(help="Folder or zip of [train/][CLASS/]picture, or 'digits', which is built in.")
    ] = "digits"
    image_size: Annotated[
        int | None,
        typer.Option(min=8, max=4096, help="Side in pixels.", show_default="the data's own up to 64, else 64"),
    ] = None
    color: Annotated[
        Literal["rgb", "gray"] | None,
        typer.Option(help="What pictures are drawn in.", show_default="rgb; gray for the digits"),
    ] = None
    flip: Annotated[bool, typer.Option("--flip", help="Mirror half of the pictures.")] = False


@dataclass(frozen=True, kw_only=True)
class _GanData(_Data):
    conditional: Annotated[bool, typer.Option("--conditional", help="Learn to draw the class asked for.")] = False
    augment: Annotated[
        list[DiffAugment] | None, typer.Option(help="Vary what the discriminator sees; give it once for each kind.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class _GanNetwork:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="mlp_gan, dcgan, residual_gan or texture.")] = "dcgan"
    model_options: ModelOptionsOption = "{}"
    spectral_norm: Annotated[bool, typer.Option(help="In the discriminator.")] = True
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="In the discriminator.")] = 0.0


@dataclass(frozen=True, kw_only=True)
class _VaeNetwork:
    panel: ClassVar[str] = NETWORK_PANEL

    model: Annotated[str, typer.Option("--model", "-m", help="conv_vae.")] = "conv_vae"
    model_options: ModelOptionsOption = "{}"


@dataclass(frozen=True, kw_only=True)
class _Training:
    panel: ClassVar[str] = TRAINING_PANEL

    steps: StepsOption = 5000
    batch_size: Annotated[int, typer.Option(min=2, max=65536, help="Pictures a step and device.")] = 64
    optimizer: OptimizerOption = Optimizer.MUON
    learning_rate: Annotated[float, typer.Option(help="Even for half of the steps, then falling to nothing.")] = 0.0015
    weight_decay: WeightDecayOption = 0.0
    ema: Annotated[float, typer.Option(help="Decay of the average of the weights, which is kept.")] = 0.999


@dataclass(frozen=True, kw_only=True)
class _GanTraining(_Training):
    loss: Annotated[GanLoss, typer.Option(help="What generator and discriminator compete by.")] = GanLoss.HINGE
    discriminator_rate: Annotated[
        float, typer.Option(help="The discriminator's learning rate, as a multiple of the generator's.")
    ] = 1.0
    d_steps: Annotated[int, typer.Option(min=1, help="Updates of the discriminator for one of the generator.")] = 1
    label_smoothing: Annotated[float, typer.Option(min=0, max=0.5, help="Of real pictures, for bce.")] = 0.0
    gradient_penalty: Annotated[float, typer.Option(min=0, help="Its weight, for wgan-gp.")] = 10.0


@dataclass(frozen=True, kw_only=True)
class _VaeTraining(_Training):
    learning_rate: Annotated[float, typer.Option(help="Even for half of the steps, then falling to nothing.")] = 0.003
    beta: Annotated[float, typer.Option(help="Weight of the code's divergence from a normal distribution.")] = 1.0


@dataclass(frozen=True, kw_only=True)
class _Samples:
    panel: ClassVar[str] = "Samples"

    sample_every: Annotated[
        int, typer.Option(min=1, help="Steps between sheets of samples, where it can resume too.")
    ] = 500
    classifier: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of a residual classifier, whose features judge the samples and choose the step."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class _GanSamples(_Samples):
    class_weight: Annotated[
        float, typer.Option(min=0, help="Of the classifier's verdict on the class, in the generator's loss.")
    ] = 0.0


@option_groups
def gan(
    *,
    data: _GanData,
    network: _GanNetwork,
    training: _GanTraining,
    samples: _GanSamples,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a generator of pictures against a discriminator. The same command resumes an interrupted training.

    12,300 steps of 128 pictures of 32 pixels took 8 minutes on a GPU (H200); a CPU takes many hours for as much.

    Examples:
        edgevision train gan --data photos.zip --conditional --augment translation --augment cutout
        edgevision train gan --model texture --data bricks --image-size 64
    """
    chosen = _generative(data, network, training, samples, hardware) | {"augment": tuple(data.augment or ())}
    settings = GanSettings(**chosen, **output.licences, seed=seed)
    run_training("gan", settings, output)


@option_groups
def vae(
    *,
    data: _Data,
    network: _VaeNetwork,
    training: _VaeTraining,
    samples: _Samples,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a variational autoencoder. The same command resumes an interrupted training.

    How long it takes goes by --steps, --batch-size and the pixels of a picture: at 32 pixels a step took 0.3 s of a
    server's core. 1,000 of them, 5 minutes, sufficed for CIFAR-10.

    Examples:
        edgevision train vae --data photos.zip --image-size 32
    """
    chosen = _generative(data, network, training, samples, hardware)
    settings = VaeSettings(**chosen, **output.licences, seed=seed)
    run_training("vae", settings, output)


def _generative(*groups: Any) -> dict[str, Any]:
    chosen = option_values(*groups)
    color, classifier = chosen["color"], chosen["classifier"]
    return chosen | {
        "color": None if color is None else Color(color),
        "classifier": None if classifier is None else str(classifier),
    }
