"""Train the network that colours gray pictures on a GPU that is had for minutes.

    python examples/gpu/colorize.py --photos photos --tiles cifar.webp:32 people.webp:144 --seconds 480 -o colorize

What `edgevision train restore --kind colorize` learns from, drawn on the GPU instead of by workers, until the time is
over. A sheet of tiles is a picture made of other ones, all squares of the same side: many small pictures in one file.
For the first part of the time half of what is seen comes from the sheets, then less and less. At the end a part of what
rare colours counted more is taken back (logit adjustment, Menon et al. 2021): less colourful, and more often right.

colorize.pt is the average of the weights that did best on the held-out tenth of the photographs by the loss,
colorize_last.pt the last; log.txt has their figures.
"""

import argparse
import copy
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from clocked import CUDA, DEVICE, Average, Clock, autocast, cosine, descend, keep
from crops import luma_of
from PIL import Image
from torch import Tensor

from edgevision.models import build_model
from edgevision.training.color_module import ColorModule
from edgevision.training.photo_crops import Photos
from edgevision.training.restoration_data import AB_CENTRE, AB_RANGE
from edgevision.training.restore import restoration_metadata
from edgevision.training.settings import RestorationSettings

SIDE = 128
STORED = 192
BATCH = 96 if CUDA else 4
LEARNING_RATE, WEIGHT_DECAY = 0.002, 0.05
EMA = 0.999
VALIDATE_EVERY = 20 if CUDA else 8
# How much of either side of a picture is seen at least, and how far it is turned, in radians.
LEAST_SEEN, TURNED = 0.45, 0.17


class Squares:
    """Pictures as squares uint8 (count, 3, side, side) on the GPU."""

    def __init__(self, pictures: list[np.ndarray], side: int) -> None:
        squares = [
            np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC)) for each in pictures
        ]
        self.pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous().to(DEVICE)

    def draw(self, count: int) -> Tensor:
        """float32 (count, 3, SIDE, SIDE) in 0..1: parts of pictures, squeezed, mirrored and turned a little."""
        chosen = torch.randint(len(self.pixels), (count,), device=DEVICE)
        size = LEAST_SEEN + (1 - LEAST_SEEN) * torch.rand(count, 2, device=DEVICE)
        middle = (1 - size) * (2 * torch.rand(count, 2, device=DEVICE) - 1)
        size[:, 0] *= torch.where(torch.rand(count, device=DEVICE) < 0.5, -1, 1)
        angle = TURNED * (2 * torch.rand(count, device=DEVICE) - 1)
        cos, sin = angle.cos(), angle.sin()
        matrix = torch.stack(
            (size[:, 0] * cos, -size[:, 1] * sin, middle[:, 0], size[:, 0] * sin, size[:, 1] * cos, middle[:, 1]), dim=1
        ).reshape(-1, 2, 3)
        grid = F.affine_grid(matrix, [count, 3, SIDE, SIDE], align_corners=False)
        pixels = self.pixels[chosen].float() / 255
        return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def tiles_of(sheet: str) -> list[np.ndarray]:
    path, _, side = sheet.rpartition(":")
    pixels, step = np.asarray(Image.open(path).convert("RGB")), int(side)
    corners = [(y, x) for y in range(0, len(pixels), step) for x in range(0, pixels.shape[1], step)]
    tiles = [pixels[y : y + step, x : x + step] for y, x in corners]
    return [tile for tile in tiles if tile.std() > 2]


def ab_of(rgb: Tensor) -> Tensor:
    """a and b of CIE Lab, (N, 2, H, W), of sRGB in 0..1, as :func:`edgevision.imaging.lab.to_lab`."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = torch.tensor(
        [[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]],
        device=rgb.device,
    )
    xyz = torch.einsum("ij,njhw->nihw", matrix / matrix.sum(dim=1, keepdim=True), linear)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-6) ** (1 / 3), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return torch.stack((500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])), dim=1)


def example(colors: Tensor, *, faded: bool) -> dict[str, Tensor]:
    """What the module takes; ``faded`` as prints and films are, and some of them out of focus."""
    gray = luma_of(colors)
    count = len(gray)
    if faded:
        uniform = torch.rand(6, count, 1, 1, 1, device=DEVICE)
        small = F.interpolate(F.avg_pool2d(gray, 3, stride=3, padding=1), size=gray.shape[2:], mode="bilinear")
        gray = torch.where(uniform[4] < 0.3, torch.lerp(gray, small, uniform[5]), gray)
        low, high = 0.2 * uniform[0], 1 - 0.2 * uniform[1]
        power = (0.25 * torch.randn(count, 1, 1, 1, device=DEVICE)).exp()
        gray = low + (high - low) * gray.clamp(1e-4, 1) ** power
        gray = gray + 0.03 * uniform[2] * torch.randn_like(gray)
    target = ab_of(F.avg_pool2d(colors, 2))
    return {"image": gray.contiguous(memory_format=torch.channels_last), "target": (target + AB_CENTRE) / AB_RANGE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--tiles", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--take-back", type=float, default=0.25, help="of how much rare colours counted more, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model-options", default='{"temperature": 0.5}')
    given = parser.parse_args()
    clock = Clock(given.seconds)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    options = json.loads(given.model_options)
    settings = RestorationSettings.from_sources(
        "colorize",
        [given.photos],
        {"model_options": options, "crop": SIDE, "batch_size": BATCH, "licence": "Apache-2.0"},
    )
    network = build_model(settings.model, **options)
    module = ColorModule(network, settings).to(DEVICE)
    photos, held_out = (Photos(settings.data, held_out=held, quiet=True) for held in (False, True))
    seen = Squares([photos[i] for i in range(len(photos))], STORED)
    others = [Squares(tiles_of(sheet), int(sheet.rpartition(":")[2])) for sheet in given.tiles]
    unseen = Squares([held_out[i] for i in range(len(held_out))], SIDE).pixels.float() / 255
    average = Average(module.network, EMA)
    optimizer = torch.optim.AdamW(
        module.network.parameters(), lr=0.0, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY, fused=CUDA
    )
    given.output.mkdir(parents=True, exist_ok=True)
    log = (given.output / "log.txt").open("w", buffering=1)
    tiles = sum(len(each.pixels) for each in others)
    log.write(
        f"{len(seen.pixels)} photographs, {tiles} tiles, {len(unseen)} held out, {clock.seconds():.0f} s to load\n"
    )
    steps, validated, best = 0, 0.0, math.inf

    def validate() -> dict[str, float]:
        """Loss, PSNR of a and b in dB and chroma (1 as colourful) of the average on the held-out photographs."""
        trained, module.network = module.network, average.network
        prior = module.prior.clone()
        with torch.no_grad():
            losses = []
            for part in unseen.split(32):
                batch = example(part, faded=False)
                losses.append(float(module.training_step(batch, 0)))
                module.validation_step(batch, 0)
        figures = {"loss": float(np.mean(losses))} | {
            name: float(mean.compute()) for name, mean in module.figures.items()
        }
        for mean in module.figures.values():
            mean.reset()
        module.prior.copy_(prior)
        module.network = trained
        return figures

    def keep_as(name: str, figures: dict[str, float]) -> None:
        plain = build_model(settings.model, **options).eval()
        metadata = restoration_metadata(settings, plain, figures, clock.seconds() / 3600)
        network = copy.deepcopy(average.network)
        with torch.no_grad():
            network.tail.bias -= given.take_back * module.rarity().log()
        keep(given.output / f"{name}.pt", network, metadata, settings.model, options)

    while clock.done() < 1:
        done = clock.done()
        for group in optimizer.param_groups:
            group["lr"] = cosine(LEARNING_RATE, done, steps)
        # The sheets teach what is common, the photographs how it looks in full.
        count = (
            round(BATCH * (0.5 if done < 0.3 else 0.5 * max(0.2, 1.3 - done))) // max(1, len(others)) if others else 0
        )
        colors = torch.cat(
            [each.draw(max(1, count)) for each in others] + [seen.draw(BATCH - max(1, count) * len(others))]
        )
        batch = example(colors, faded=True)
        with autocast():
            loss = module.training_step(batch, steps)
        descend(loss, optimizer, module.network)
        average.update()
        steps += 1
        if clock.seconds() - validated > VALIDATE_EVERY:
            validated = clock.seconds()
            figures = validate()
            log.write(f"{clock.seconds():.0f} s, {steps} steps, loss {loss.item():.4f}, held out {figures}\n")
            if figures["loss"] < best:
                best = figures["loss"]
                keep_as("colorize", figures)
            keep_as("colorize_last", figures)
    figures = validate()
    log.write(f"end: {steps} steps, held out {figures}\n")
    keep_as("colorize_last", figures)


if __name__ == "__main__":
    main()
