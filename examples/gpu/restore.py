"""Train a restorer on a GPU that is had for minutes: crops, damage, network and update are one graph on it.

    python examples/gpu/restore.py denoise --noise mixed --sigma 55 --gray 0.3 --photos photos --photos gray400 \
        --start-from denoise.pt --seconds 600 -o denoise

It learns what `edgevision train restore` learns from, drawn on the GPU instead of by workers, until the time is over,
and writes the same checkpoint each minute. Without a GPU it goes through the same steps on the CPU.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from clocked import CUDA, DEVICE, Average, Clock, Muon, Repeated, autocast, cosine, keep
from crops import PhotoCrops, luma_of
from holes import Holes, double, fill_smoothly, halve_known
from noises import Noises, rounded, uniform
from PIL import Image
from torch import Tensor, nn

from edgevision.models import apply_curves, build_model
from edgevision.training.checkpoint import begin_with
from edgevision.training.crop_batches import crop_loader
from edgevision.training.photo_crops import Photos
from edgevision.training.photo_training import VALIDATION_CROPS
from edgevision.training.restoration_data import WELL_EXPOSED, DamagedCrops
from edgevision.training.restoration_module import RestorationModule
from edgevision.training.restore import restoration_metadata
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import RESTORATION_DEFAULTS, RestorationSettings


class Task(Protocol):
    def errors(self, network: nn.Module, clean: Tensor) -> Tensor:
        """The mean squared error of each of float32 (N, 3, S, S) in 0..1, damaged and restored."""


class Denoising:
    def __init__(self, settings: RestorationSettings, camera: float) -> None:
        self._noises = Noises(settings.crop, DEVICE, camera)
        self._mixed, self._sigma, self._gray = settings.noise == "mixed", settings.sigma[1], settings.gray

    def errors(self, network: nn.Module, clean: Tensor) -> Tensor:
        count = len(clean)
        gray = uniform(0, 1, count, DEVICE) < self._gray
        clean = torch.where(gray, rounded(luma_of(clean)), clean)
        if self._mixed:
            image = self._noises.mixed(clean, self._sigma, gray)
        else:
            image = self._noises.white(clean, uniform(0, self._sigma, count, DEVICE), gray)
            # What comes out of a file is clipped and rounded; what the literature measures is not.
            image = torch.where(uniform(0, 1, count, DEVICE) < 0.5, rounded(image), image)
        with autocast():
            restored = network(image.contiguous(memory_format=torch.channels_last))
        return (restored.float() - clean).square().mean(dim=(1, 2, 3))


class Inpainting:
    """As the pipeline does it: deep holes are filled at half the size first, then everything at full size."""

    def __init__(self, settings: RestorationSettings) -> None:
        self._holes = Holes(20_000 if CUDA else 250, settings.crop, DEVICE)

    def errors(self, network: nn.Module, clean: Tensor) -> Tensor:
        mask, large = self._holes.draw(len(clean))
        half, half_known = halve_known(clean, 1 - mask)
        coarse = fill_smoothly(half, half_known)
        with torch.no_grad(), autocast():
            fill = network(coarse.contiguous(memory_format=torch.channels_last), 1 - half_known).float().clamp(0, 1)
        deep = large & (half_known == 0).flatten(1).any(1)[:, None, None, None]
        coarse = torch.where(deep & (half_known < 1), fill, coarse)
        image = torch.where(mask > 0, double(coarse), clean).contiguous(memory_format=torch.channels_last)
        with autocast():
            restored = network(image, mask)
        return torch.where(mask > 0, restored.float() - clean, 0.0).square().mean(dim=(1, 2, 3))


class Upscaling:
    """Of luma; half of the small pictures come out of a JPEG file where ``settings.noise`` says so."""

    def __init__(self, settings: RestorationSettings) -> None:
        self._scale, self._jpeg = settings.scale, settings.noise == "jpeg"
        self._noises = Noises(settings.crop // settings.scale, DEVICE)

    def errors(self, network: nn.Module, clean: Tensor) -> Tensor:
        # With antialiasing PyTorch's bicubic kernel is Pillow's.
        small = rounded(F.interpolate(clean, scale_factor=1 / self._scale, mode="bicubic", antialias=True))
        if self._jpeg:
            count = len(small)
            stored = self._noises.jpeg(small, uniform(10, 96, count, DEVICE).floor())
            small = torch.where(uniform(0, 1, count, DEVICE) < 0.5, stored, small)
        with autocast():
            enlarged = network(rounded(luma_of(small)).contiguous(memory_format=torch.channels_last))
        return (enlarged.float() - rounded(luma_of(clean))).square().mean(dim=(1, 2, 3))


class Brightening:
    """edgevision.data.degradations.underexpose for a batch on the GPU; some pictures are good as they are."""

    def errors(self, network: nn.Module, clean: Tensor) -> Tensor:
        count = len(clean)
        light = clean ** (2.2 * uniform(1.0, 1.6, count, DEVICE)) * 2 ** -uniform(1.5, 4.5, count, DEVICE)
        light = light + (light / 10_000).sqrt() * torch.randn_like(light)
        dark = rounded(light.clamp(0, 1) ** (1 / 2.2))
        image = torch.where(uniform(0, 1, count, DEVICE) < WELL_EXPOSED, clean, dark)
        image = image.contiguous(memory_format=torch.channels_last)
        with autocast():
            curves = network(image)
        return (apply_curves(image, curves.float()) - clean).square().mean(dim=(1, 2, 3))


def squeezed(photo: np.ndarray, side: int) -> np.ndarray:
    """All of a photograph in a square a little larger than the crops, whose exposure is that of the whole."""
    return np.asarray(Image.fromarray(photo).resize((side * 5 // 4, side * 5 // 4), Image.Resampling.BICUBIC))


def train(
    settings: RestorationSettings, folder: Path, *, seconds: float, ema: float, floor: float, camera: float, eager: bool
) -> None:
    torch.manual_seed(settings.seed)
    network = build_model(settings.model, **settings.model_options)
    if settings.start_from is not None:
        begin_with(network, Path(settings.start_from))
    network = network.to(DEVICE, memory_format=torch.channels_last)
    photos = Photos(settings.data, held_out=False, quiet=True)
    pixels = [photos[number] for number in range(len(photos))]
    task: Task
    if settings.kind == "brighten":
        crops = PhotoCrops([squeezed(photo, settings.crop) for photo in pixels], settings.crop, DEVICE, (1.0, 0.9))
        task = Brightening()
    else:
        crops = PhotoCrops(pixels, settings.crop, DEVICE)
        if settings.kind == "denoise":
            task = Denoising(settings, camera)
        else:
            task = Inpainting(settings) if settings.kind == "inpaint" else Upscaling(settings)
    average, muon = Average(network, ema), Muon(network)
    mean_loss = torch.zeros((), device=DEVICE)

    def step() -> None:
        errors = task.errors(network, crops.draw(settings.batch_size).float() / 255)
        loss = (errors + floor).log10().mean()
        for weight in network.parameters():
            weight.grad = None
        loss.backward()
        muon.step()
        mean_loss.lerp_(loss.detach(), 0.01)

    def write(figures: Mapping[str, float]) -> None:
        still = build_model(settings.model, **settings.model_options).eval()
        metadata = restoration_metadata(settings, still, figures, clock.seconds() / 3600)
        keep(folder / f"{settings.model}.pt", average.network, metadata, settings.model, settings.model_options)

    folder.mkdir(parents=True, exist_ok=True)
    run = Repeated(step, eager=eager)  # what warms up changes no weight: the rate is still 0
    clock, steps, written = Clock(seconds), 0, 0.0
    while clock.done() < 1:
        muon.set_rate(cosine(settings.learning_rate, clock.done(), steps))
        run()
        average.update()
        steps += 1
        if steps % (500 if CUDA else 2) == 0:
            loss = float(mean_loss)
            print(f"{clock.seconds():.0f} s, {steps} steps, mean loss {loss:.4f}", flush=True)
            if not math.isfinite(loss):
                raise SystemExit("the loss is not finite")
            if clock.seconds() - written > 60:
                written = clock.seconds()
                write({})
        elif CUDA and steps % 20 == 0:
            torch.cuda.synchronize()  # else the queue runs far ahead of the clock
    write(held_out_figures(average.network, settings))
    print(f"end: {steps} steps", flush=True)


def held_out_figures(network: nn.Module, settings: RestorationSettings) -> dict[str, float]:
    """What `edgevision train restore` says of a network: on crops of the held-out photographs."""
    crops = DamagedCrops(Photos(settings.data, held_out=True, quiet=True), settings.updated(flip=False))
    batches = SeededBatches(-(-VALIDATION_CROPS // settings.batch_size), validation=True)
    trainer = lightning.Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False)
    module = RestorationModule(network, settings)
    (figures,) = trainer.validate(module, crop_loader(crops, batches, workers=0), verbose=False)
    return {name.removeprefix("val_"): value for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["denoise", "inpaint", "upscale", "brighten"])
    parser.add_argument("--photos", action="append", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--start-from")
    parser.add_argument("--noise", help="white or mixed to denoise; jpeg to upscale")
    parser.add_argument("--scale", type=int, help="to upscale")
    parser.add_argument("--sigma", type=float, default=50)
    parser.add_argument("--camera", type=float, default=0.4, help="how often mixed noise is a camera's")
    parser.add_argument("--gray", type=float, default=0.0)
    parser.add_argument("--model-options", type=json.loads, default={})
    parser.add_argument("--crop", type=int, default=96, help="a power of two to inpaint")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--floor", type=float, default=3e-5, help="added to squared errors before the logarithm")
    parser.add_argument("--eager", action="store_true", help="without a graph")
    given = parser.parse_args()
    settings = RestorationSettings(
        kind=given.kind,
        data=tuple(given.photos),
        model=RESTORATION_DEFAULTS[given.kind].model,
        model_options=given.model_options,
        noise=given.noise or ("white" if given.kind == "denoise" else None),
        scale=given.scale or (2 if given.kind == "upscale" else 1),
        sigma=(0.0, given.sigma),
        gray=given.gray,
        crop=given.crop,
        batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        start_from=given.start_from,
        licence="Apache-2.0",
    )
    train(
        settings,
        given.output,
        seconds=given.seconds,
        ema=given.ema,
        floor=given.floor,
        camera=given.camera,
        eager=given.eager,
    )


if __name__ == "__main__":
    main()
