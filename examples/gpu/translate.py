"""Train a translation network on one GPU within some minutes: the pictures lie on it, and the clock sets the rate.

    python examples/gpu/translate.py points faces68.zip OUT --seconds 480 --flip

It has the networks and the losses of `edgevision train translate`, which trains the same slower. In OUT are the
checkpoint for `edgevision export`, a log and sheets of held-out pairs: what is given, what is made, what was there.
"""

import argparse
import math
import re
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from clocked import Average
from make_pairs import KINDS, Pair, drawn_edges

from edgevision.data.datasets import is_held_out
from edgevision.models.texture_gan import TextureDiscriminator
from edgevision.models.translation_unet import TranslationUNet
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.diff_augment import augment
from edgevision.training.gan_losses import balanced_loss, discriminator_loss, generator_loss
from edgevision.training.optimizers import build_optimizer
from edgevision.training.settings import DiffAugment, GanLoss, Optimizer, TranslationSettings
from edgevision.training.translate import translation_metadata

RATE = 0.0004  # of AdamW, for both networks, at a batch of 32
MOMENTUM = 0.5
WARMUP = 200  # steps
RISE = 0.1  # part of the training in which the discriminator comes to count in full
DECAY = 0.999  # of the averaged weights
VALIDATED = 192  # held-out pairs
SHOWN = 12  # of them on a sheet


def read_pairs(kind: str, source: Path, groups: str, side: int) -> tuple[list[Pair], list[Pair]]:
    """To train on and held out, by what the expression ``groups`` finds in the file's name; none smaller than side."""
    train: list[Pair] = []
    held: list[Pair] = []
    for pair in KINDS[kind](source):
        if min(pair.picture.shape[:2]) < side:
            continue
        name = pair.name.rpartition("/")[2]
        out = is_held_out(match[1] if (match := re.search(groups, name)) else name)
        (held if out else train).append(pair)
        height, width = (length // 2 for length in pair.picture.shape[:2])
        if kind == "edges" and not out and min(height, width) >= side:
            small = np.asarray(Image.fromarray(pair.picture).resize((width, height), Image.Resampling.BICUBIC))
            train.append(Pair(pair.name, drawn_edges(small), small))
    return train, held


class Pairs:
    """Pairs on the GPU, from which squares are cut: uint8 (count, H, W, 6), smaller ones in the upper left corner."""

    def __init__(self, pairs: list[Pair], device: str) -> None:
        sizes = np.array([pair.picture.shape[:2] for pair in pairs])
        canvas = np.zeros((len(pairs), *sizes.max(axis=0), 6), np.uint8)
        for number, pair in enumerate(pairs):
            height, width = pair.picture.shape[:2]
            canvas[number, :height, :width] = np.concatenate((pair.drawing, pair.picture), axis=2)
        self.canvas = torch.from_numpy(canvas).to(device)
        self.sizes = torch.from_numpy(sizes).to(device)

    def squares(self, which: Tensor, side: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Of each pair the square at ``places`` (N, 2), 0..1 of what is free; float32 (N, 3, side, side) in 0..1."""
        start = (places * (self.sizes[which] - side + 1)).long()
        reach = torch.arange(side, device=which.device)
        rows, columns = (start[:, axis, None] + reach for axis in (0, 1))
        cut = self.canvas[which[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        both = (cut.float() / 255).contiguous(memory_format=torch.channels_last)
        return both[:, :3], both[:, 3:]


def turned(drawing: Tensor, picture: Tensor, turns: bool) -> tuple[Tensor, Tensor]:
    """Half of the pairs mirrored, and with ``turns`` the whole batch lying on one of four sides."""
    both = torch.cat((drawing, picture), dim=1)
    mirrored = torch.rand(len(both), 1, 1, 1, device=both.device) < 0.5
    both = torch.where(mirrored, both.flip(3), both)
    if turns:
        both = torch.rot90(both, int(torch.randint(4, ())), (2, 3))
    both = both.contiguous(memory_format=torch.channels_last)
    return both[:, :3], both[:, 3:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, default=64, help="of the discriminator")
    parser.add_argument("--adversarial", type=float, default=1.0, help="its gradient over that of the error")
    parser.add_argument("--groups", default="(.+)", help="finds in a file's name who or what is held out")
    parser.add_argument("--given", default="drawing", help="what is given, for the metadata")
    parser.add_argument("--made", default="picture", help="what is made of it")
    parser.add_argument("--licence")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--turn", action="store_true")
    options = parser.parse_args()
    settings = TranslationSettings(
        data=(str(options.source),),
        given=options.given,
        made=options.made,
        groups=options.groups,
        licence=options.licence,
    )
    begin = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    options.output.mkdir(parents=True, exist_ok=True)
    log = (options.output / "log.txt").open("w", buffering=1)
    train, held = (
        Pairs(pairs, device) for pairs in read_pairs(options.kind, options.source, options.groups, options.side)
    )
    print(f"{len(train.canvas)} pairs, {len(held.canvas)} held out, {time.monotonic() - begin:.0f} s", file=log)

    network = TranslationUNet().to(device, memory_format=torch.channels_last)
    average = Average(network, DECAY)
    discriminator = TextureDiscriminator(channels=6, width=options.width).to(device, memory_format=torch.channels_last)
    optimizers = [
        build_optimizer(net, Optimizer.ADAMW, learning_rate=RATE, weight_decay=0, momentum=MOMENTUM)
        for net in (network, discriminator)
    ]

    def scores(drawing: Tensor, picture: Tensor) -> Tensor:
        seen = augment(2 * torch.cat((drawing, picture), dim=1) - 1, (DiffAugment.TRANSLATION, DiffAugment.CUTOUT))
        with torch.autocast(device, torch.bfloat16):
            return discriminator(seen).float()

    def made(net: torch.nn.Module, drawing: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return net(drawing).float()

    def validate(step: int) -> None:
        count = min(VALIDATED, len(held.canvas))
        which = torch.linspace(0, len(held.canvas) - 1, count, device=device).long()
        drawing, picture = held.squares(which, options.side, torch.full((count, 2), 0.5, device=device))
        with torch.no_grad():
            guess = torch.cat([made(average.network, part) for part in drawing.split(options.batch)])
        error = (guess - picture).square().mean(dim=(1, 2, 3))
        psnr = float((-10 * torch.log10(error)).mean())
        shown = torch.linspace(0, count - 1, SHOWN, device=device).long()
        rows = [torch.cat(tuple(images[shown].permute(0, 2, 3, 1)), dim=1) for images in (drawing, guess, picture)]
        sheet = (torch.cat(rows) * 255).round().byte().cpu().numpy()
        Image.fromarray(sheet).save(options.output / f"{round(progress * 8)}.jpg", quality=88)
        seconds = time.monotonic() - begin
        metadata = translation_metadata(settings, average.network, {"psnr": psnr}, seconds / 3600)
        command = shlex.join(["python", "examples/gpu/translate.py", *sys.argv[1:]])
        metadata = metadata.updated(provenance=metadata.provenance.updated(command=command))
        save_checkpoint(
            options.output / "translation_unet.pt", average.network, metadata, model="translation_unet", options={}
        )
        print(f"{seconds:.0f} s, step {step}: psnr {psnr:.3f} dB, {step / seconds:.1f} steps a second", file=log)

    step, validations, progress = 0, 1, 0.0
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / (0.97 * options.seconds))
        rate = RATE * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * progress))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        which = torch.randint(len(train.canvas), (options.batch,), device=device)
        drawing, picture = train.squares(which, options.side, torch.rand(options.batch, 2, device=device))
        if options.flip:
            drawing, picture = turned(drawing, picture, options.turn)

        guess = made(network, drawing)
        loss = discriminator_loss(GanLoss.HINGE, scores(drawing, picture), scores(drawing, guess.detach()))
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()

        discriminator.requires_grad_(False)
        error = F.l1_loss(guess, picture)
        contest = generator_loss(GanLoss.HINGE, scores(drawing, guess))
        discriminator.requires_grad_(True)
        optimizers[0].zero_grad()
        balanced_loss(guess, error, contest, options.adversarial * min(1.0, progress / RISE)).backward()
        optimizers[0].step()
        step += 1
        average.update()

        if step % 200 == 0:
            print(
                f"step {step}: error {error.item():.4f}, contest {contest.item():.3f}, loss {loss.item():.3f}", file=log
            )
        if progress * 8 >= validations or progress == 1:
            validate(step)
            validations += 1


if __name__ == "__main__":
    main()
