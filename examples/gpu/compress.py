"""Trains the codec that ships on one GPU in minutes: as `edgevision train compress`, with all photographs on the GPU.

    python examples/gpu/compress.py photos result --seconds 480

Each photograph is shrunk to several sizes once, and crops of all sizes are cut on the GPU, so that no worker has to
keep up with it. For the first four fifths of the time all weights learn on latents with noise; then those that make
the file stay as they are, and those that read it learn from the symbols of files.

result/compress.pt is a checkpoint for `edgevision export --part encoder` and `--part decoder`; result/log.txt has the
figures of the held-out tenth, minute by minute.
"""

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
from clocked import CUDA, DEVICE, Average, Clock, autocast, descend, keep
from crops import PhotoCrops, luma_of
from torch import Tensor

from edgevision.core.errors import EdgevisionError
from edgevision.models import HyperpriorCodec
from edgevision.training.compression_metadata import compression_metadata
from edgevision.training.compression_module import coding_loss
from edgevision.training.optimizers import build_optimizer
from edgevision.training.photo_crops import Photos
from edgevision.training.settings import CompressionSettings

OPTIONS = {"slices": [32, 32, 64]}
WEIGHTS = (0.0015, 0.006, 0.02)
BATCH, SIDE = (64, 192) if CUDA else (4, 128)
LEARNING_RATE, SETTLING_RATE = 0.003, 0.0008
SETTLING = 0.8
WARMUP = 0.02
EMA = 0.999
VALIDATE_EVERY = 55


def partly_gray(crops: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) as float32 in 0..1, some without their colour."""
    crops = crops.float() / 255
    gray = torch.rand(len(crops), 1, 1, 1, device=DEVICE) < 0.12
    return torch.where(gray, luma_of(crops), crops)


def middles(photos: Photos) -> list[Tensor]:
    """What there is of each photograph around its middle in multiples of 64 pixels."""
    made = []
    for photo in (photos[i] for i in range(len(photos))):
        height, width = (side // 64 * 64 for side in photo.shape[:2])
        top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
        middle = np.ascontiguousarray(photo[top : top + height, left : left + width].transpose(2, 0, 1))
        made.append(torch.from_numpy(middle)[None].to(DEVICE))
    return made


@torch.inference_mode()
def validate(network: HyperpriorCodec, pictures: list[Tensor]) -> dict[str, float]:
    """Bits a pixel and PSNR of each quality, and the mean of what is learned to be small."""
    figures = {"cost": 0.0}
    torch.backends.cudnn.benchmark = False  # as pictures have many sizes
    for level, weight in enumerate(WEIGHTS):
        bpp, psnr = [], []
        for pixels in pictures:
            image = pixels.float() / 255
            coded = network.code(image, torch.full((1,), level, device=DEVICE), noisy=False)
            bpp.append(float(coded.bits.sum() / pixels[0, 0].numel()))
            error = float((coded.image.clamp(0, 1) - image).square().mean())
            psnr.append(-10 * math.log10(max(error, 1e-10)))
            figures["cost"] += (bpp[-1] + weight * 255**2 * error) / len(WEIGHTS) / len(pictures)
        figures |= {f"bpp_{level + 1}": float(np.mean(bpp)), f"psnr_{level + 1}": float(np.mean(psnr))}
    torch.backends.cudnn.benchmark = True
    return figures


def keep_channels_last(network: HyperpriorCodec) -> None:
    """Squares are shuffled into NCHW, and convolutions would turn each of their inputs again."""
    for layer in (*network.analysis, *network.synthesis):
        if isinstance(layer, torch.nn.PixelShuffle | torch.nn.PixelUnshuffle):
            layer.register_forward_hook(lambda layer, given, made: made.contiguous(memory_format=torch.channels_last))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("result", type=Path)
    parser.add_argument("--seconds", type=float, default=480)
    given = parser.parse_args()
    clock = Clock(given.seconds)
    given.result.mkdir(parents=True, exist_ok=True)
    log = (given.result / "log.txt").open("w", buffering=1)

    def say(text: str) -> None:
        line = f"{clock.seconds():6.1f} s  {text}"
        print(line, flush=True)
        log.write(line + "\n")

    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    settings = CompressionSettings(data=(given.photos,), distortion_weights=WEIGHTS, licence="Apache-2.0")
    trial = given.seconds < 60
    photos = Photos(settings.data, held_out=False, quiet=True)
    crops = PhotoCrops([photos[place] for place in range(len(photos))], SIDE, DEVICE)
    held_out = middles(Photos(settings.data, held_out=True, quiet=True))[: 4 if trial else None]
    options = {"qualities": len(WEIGHTS), **OPTIONS}
    network = HyperpriorCodec(**options).to(DEVICE, memory_format=torch.channels_last)
    average = Average(network, EMA)
    keep_channels_last(network)
    weights = torch.tensor(WEIGHTS, device=DEVICE)
    best = math.inf

    def validated_and_kept() -> None:
        nonlocal best
        figures = validate(average.network, held_out)
        say("validation " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        if figures["cost"] < best:
            best = figures["cost"]
            trained = copy.deepcopy(average.network).to("cpu", memory_format=torch.contiguous_format)
            metadata = compression_metadata(settings, trained, figures, clock.seconds() / 3600)
            keep(given.result / "compress.pt", trained, metadata, "hyperprior", options)

    def rated(rate: float) -> torch.optim.Optimizer:
        made = build_optimizer(network, settings.optimizer, learning_rate=rate, weight_decay=0.0)
        for group in made.param_groups:
            group["peak"] = group["lr"]
        return made

    optimizer = rated(LEARNING_RATE)
    begin = clock.seconds()
    end = given.seconds - (8 if trial else 30)
    settle = begin + SETTLING * (end - begin)
    say(f"{len(held_out)} pictures held out, {sum(p.numel() for p in network.parameters()):,} weights, on {DEVICE}")
    step, settling, total, counted = 0, False, torch.zeros((), device=DEVICE), 0
    validated = clock.seconds()
    while (now := clock.seconds()) < end:
        if not settling and now >= settle:
            validated_and_kept()
            network.load_state_dict(average.network.state_dict())
            network.freeze_encoder()
            optimizer, settling = rated(SETTLING_RATE), True
            say("settling")
        done = (now - settle) / (end - settle) if settling else (now - begin) / (settle - begin)
        share = min(1.0, (done + 1e-3) / WARMUP) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        image = partly_gray(crops.draw(BATCH))
        quality = (torch.arange(BATCH, device=DEVICE) + step) % len(WEIGHTS)
        with autocast():
            loss = coding_loss(network, image, quality, weights, noisy=not settling)
        descend(loss, optimizer, network)
        average.update()
        step, counted = step + 1, counted + 1
        total += loss.detach()
        if step % 20 == 0 and clock.seconds() - validated > VALIDATE_EVERY:
            mean = float(total) / counted
            say(f"step {step}, loss {mean:.4f}, {counted / (clock.seconds() - validated):.1f} steps/s")
            validated_and_kept()
            total.zero_()
            counted, validated = 0, clock.seconds()
    validated_and_kept()
    say(f"{step} steps")


if __name__ == "__main__":
    try:
        main()
    except EdgevisionError as error:
        raise SystemExit(f"error: {error}") from error
