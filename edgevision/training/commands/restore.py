"""The verb ``edgevision train restore``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import SeedOption
from edgevision.core.errors import InputError
from edgevision.data.noise_kinds import NoiseKind
from edgevision.training.commands.options import EmaOption, StepsOption, WarmupOption
from edgevision.training.commands.photo_options import CropData, CropNetwork, CropTraining, train_on_crops
from edgevision.training.commands.run_training import Hardware, Output, number_range
from edgevision.training.settings import RESTORATION_DEFAULTS


def _by_kind(setting: str) -> str:
    """The default of each kind, as ``--help`` shows it."""
    shown: dict[str, list[str]] = {}
    for kind, defaults in RESTORATION_DEFAULTS.items():
        value = getattr(defaults, setting)
        text = _loss_text(value) if setting == "loss" else str(value) if isinstance(value, str) else f"{value:g}"
        shown.setdefault(text, []).append(kind)
    return "; ".join(f"{text} to {', '.join(kinds)}" for text, kinds in shown.items())


def _loss_text(terms: object) -> str:
    assert isinstance(terms, dict)
    return ",".join(f"{name}={weight:g}" for name, weight in terms.items())


@dataclass(frozen=True, kw_only=True)
class _Kind:
    panel: ClassVar[str] = "What is learnt"

    kind: Annotated[
        Literal["inpaint", "denoise", "upscale", "brighten", "colorize"],
        typer.Option(help="What the network is to undo."),
    ]
    scale: Annotated[int | None, typer.Option(min=2, help="Of upscaling.", show_default="2")] = None


@dataclass(frozen=True, kw_only=True)
class _Data(CropData):
    crop: Annotated[
        int | None,
        typer.Option(min=16, max=4096, help="Side of the crops in pixels.", show_default=_by_kind("crop")),
    ] = None
    noise: Annotated[
        NoiseKind | None,
        typer.Option(
            help="What denoise removes, and upscale meets in half of the pictures.", show_default="white; none"
        ),
    ] = None
    sigma: Annotated[str, typer.Option(help="LEAST,GREATEST noise to remove, of 255.")] = "0,50"
    gray: Annotated[
        float | None, typer.Option(help="Part of the crops that lose their colour.", show_default=_by_kind("gray"))
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Network(CropNetwork):
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The network; each kind has its own.", show_default=_by_kind("model")),
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Training(CropTraining):
    steps: StepsOption = 10_000
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=65536, help="Crops a step and device.", show_default=_by_kind("batch_size")),
    ] = None  # type: ignore[assignment]
    loss: Annotated[
        str | None,
        typer.Option(
            help="Terms and weights, as l1=1,ssim=0.1; also l2, psnr, edge, perceptual, colors.",
            show_default=_by_kind("loss"),
        ),
    ] = None
    perceptual_model: Annotated[
        Path | None, typer.Option(help="Checkpoint of a classifier made by edgevision, for the perceptual loss.")
    ] = None
    ema: EmaOption = 0.999
    warmup: WarmupOption = 200


@option_groups
def restore(
    *,
    kind: _Kind,
    data: _Data,
    network: _Network,
    training: _Training,
    hardware: Hardware,
    output: Output,
    seed: SeedOption = 0,
) -> None:
    """Train a network that inpaints, denoises, upscales, brightens or colorizes, on photographs damaged on purpose.

    A tenth of them, chosen by file name, is held out. The same command resumes an interrupted training.
    Inpainting took 1.2 hours for 4,500 steps on two busy cores; denoising 12 minutes for 38,000 on a GPU (H200).

    Examples:
        edgevision train restore --kind inpaint --data photos --steps 20000
        edgevision train restore --kind denoise --data photos --noise mixed --sigma 0,55
        edgevision train restore --kind upscale --scale 4 --data photos --loss l1=1,ssim=0.1
    """
    train_on_crops(
        kind.kind,
        *(data, network, training, hardware),
        output=output,
        seed=seed,
        scale=kind.scale,
        sigma=number_range(data.sigma, "--sigma"),
        loss=None if training.loss is None else _loss(training.loss),
    )


def _loss(text: str) -> dict[str, float]:
    try:
        return {name: float(weight) for name, weight in (term.split("=") for term in text.split(","))}
    except ValueError as error:
        raise InputError(f"--loss is terms and weights, as l1=1,ssim=0.1, not {text!r}") from error
