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
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from edgevision.core.errors import EdgevisionError
from edgevision.models import HyperpriorCodec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.compression_metadata import compression_metadata
from edgevision.training.compression_module import coding_loss
from edgevision.training.optimizers import build_optimizer
from edgevision.training.photo_crops import Photos
from edgevision.training.settings import CompressionSettings

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
OPTIONS = {"slices": [32, 32, 64]}
WEIGHTS = (0.0015, 0.006, 0.02)
BATCH, SIDE = (64, 192) if GPU else (4, 128)
LEARNING_RATE, SETTLING_RATE = 0.003, 0.0008
SETTLING = 0.8
WARMUP = 0.02
EMA = 0.999
VALIDATE_EVERY = 55


class Crops:
    """Crops of ``SIDE`` pixels, each of any photograph, shrunk to half or less far, mirrored, turned, some gray."""

    def __init__(self, photos: Photos, sizes: int, generator: np.random.Generator) -> None:
        scales = [np.append(1, generator.uniform(0.5, 1, sizes - 1)) for _ in range(len(photos))]
        with ThreadPoolExecutor(3) as pool:
            pictures = [*chain.from_iterable(pool.map(shrunk, (photos[i] for i in range(len(photos))), scales))]
        self._pixels = torch.from_numpy(np.concatenate([picture.reshape(-1, 3) for picture in pictures])).to(DEVICE)
        heights, widths = np.transpose([picture.shape[:2] for picture in pictures])
        starts = np.append(0, np.cumsum(heights * widths)[:-1])
        self._starts, self._heights, self._widths = (
            torch.from_numpy(np.asarray(column, np.int64)).to(DEVICE) for column in (starts, heights, widths)
        )
        self._line = torch.arange(SIDE, device=DEVICE)
        self._luma = torch.tensor([0.299, 0.587, 0.114], device=DEVICE).view(3, 1, 1)

    def draw(self, count: int) -> Tensor:
        """(N, 3, SIDE, SIDE) in 0..1."""
        chosen = torch.randint(len(self._starts), (count,), device=DEVICE)
        places = torch.rand(2, count, device=DEVICE)
        top = (places[0] * (self._heights[chosen] - SIDE + 1)).long()
        left = (places[1] * (self._widths[chosen] - SIDE + 1)).long()
        down, across, turned, gray = torch.rand(4, count, 1, 1, device=DEVICE)
        row, column = self._line[:, None], self._line
        row, column = torch.where(turned < 0.5, row, column), torch.where(turned < 0.5, column, row)
        row = torch.where(down < 0.5, row, SIDE - 1 - row) + top[:, None, None]
        column = torch.where(across < 0.5, column, SIDE - 1 - column) + left[:, None, None]
        pixels = self._pixels[self._starts[chosen, None, None] + row * self._widths[chosen, None, None] + column]
        crops = pixels.permute(0, 3, 1, 2).float() / 255
        luma = (crops * self._luma).sum(1, keepdim=True)
        return torch.where(gray[..., None] < 0.12, luma, crops)


def shrunk(photo: np.ndarray, scales: np.ndarray) -> list[np.ndarray]:
    height, width = photo.shape[:2]
    least = SIDE / min(height, width)
    sizes = {tuple(round(max(scale, least) * side) for side in (width, height)) for scale in scales}
    return [np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC)) for size in sorted(sizes)]


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
    began = time.monotonic()
    given.result.mkdir(parents=True, exist_ok=True)
    log = (given.result / "log.txt").open("w", buffering=1)

    def say(text: str) -> None:
        line = f"{time.monotonic() - began:6.1f} s  {text}"
        print(line, flush=True)
        log.write(line + "\n")

    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    settings = CompressionSettings(data=(given.photos,), distortion_weights=WEIGHTS, licence="Apache-2.0")
    trial = given.seconds < 60
    crops = Crops(Photos(settings.data, held_out=False, quiet=True), 2 if trial else 8, np.random.default_rng(0))
    held_out = middles(Photos(settings.data, held_out=True, quiet=True))[: 4 if trial else None]
    options = {"qualities": len(WEIGHTS), **OPTIONS}
    network = HyperpriorCodec(**options).to(DEVICE, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False)
    keep_channels_last(network)
    averaged, learned = list(average.parameters()), list(network.parameters())
    weights = torch.tensor(WEIGHTS, device=DEVICE)
    best = math.inf

    def keep() -> None:
        nonlocal best
        figures = validate(average, held_out)
        say("validation " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        if figures["cost"] < best:
            best = figures["cost"]
            write(given.result / "compress.pt", average, figures)

    def write(path: Path, network: HyperpriorCodec, figures: Mapping[str, float]) -> None:
        trained = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)
        metadata = compression_metadata(settings, trained, figures, (time.monotonic() - began) / 3600)
        save_checkpoint(path, trained, metadata, model="hyperprior", options=options)

    def rated(rate: float) -> torch.optim.Optimizer:
        made = build_optimizer(network, settings.optimizer, learning_rate=rate, weight_decay=0.0)
        for group in made.param_groups:
            group["peak"] = group["lr"]
        return made

    optimizer = rated(LEARNING_RATE)
    begin = time.monotonic() - began
    end = given.seconds - (8 if trial else 30)
    settle = begin + SETTLING * (end - begin)
    say(f"{len(held_out)} pictures held out, {sum(p.numel() for p in learned):,} weights, on {DEVICE}")
    step, settling, total, counted = 0, False, torch.zeros((), device=DEVICE), 0
    validated = time.monotonic()
    while (now := time.monotonic() - began) < end:
        if not settling and now >= settle:
            keep()
            with torch.no_grad():
                for parameter, mean in zip(learned, averaged, strict=True):
                    parameter.copy_(mean)
            network.freeze_encoder()
            optimizer, settling = rated(SETTLING_RATE), True
            say("settling")
        done = (now - settle) / (end - settle) if settling else (now - begin) / (settle - begin)
        share = min(1.0, (done + 1e-3) / WARMUP) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        image = crops.draw(BATCH)
        quality = (torch.arange(BATCH, device=DEVICE) + step) % len(WEIGHTS)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss = coding_loss(network, image, quality, weights, noisy=not settling)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averaged, learned, 1 - min(EMA, (step + 1) / (step + 10)))
        step, counted = step + 1, counted + 1
        total += loss.detach()
        if step % 20 == 0 and time.monotonic() - validated > VALIDATE_EVERY:
            mean = float(total) / counted
            say(f"step {step}, loss {mean:.4f}, {counted / (time.monotonic() - validated):.1f} steps/s")
            keep()
            total.zero_()
            counted, validated = 0, time.monotonic()
    keep()
    say(f"{step} steps")


if __name__ == "__main__":
    try:
        main()
    except EdgevisionError as error:
        raise SystemExit(f"error: {error}") from error
