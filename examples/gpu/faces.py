"""Train a generator of faces of 64x64 on one GPU within some minutes: the pictures lie on it, the clock sets the rate.

    python examples/gpu/faces.py faces68.zip OUT --seconds 480

It has the networks and the losses of `edgevision train gan`. In OUT are the averaged weights (half precision, last.pt),
a log, and sheets of samples beside real faces, which are turned until the eyes are level.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from edgevision.data.datasets import ImageFolder
from edgevision.data.point_annotations import PointedFolder
from edgevision.imaging.images import to_array
from edgevision.models.residual_gan import ResidualDiscriminator, ResidualGenerator
from edgevision.training.diff_augment import augment
from edgevision.training.gan_losses import discriminator_loss, generator_loss
from edgevision.training.settings import DiffAugment, GanLoss

SIDE = 64
EYES = (0.34, 0.40)  # where the left eye lies in the square; the right one as far from the other edge
PROFILE = 0.75  # faces are left out whose eyes, from the nose, differ by more than this share of both distances
LATENT = 128
RATE = 0.0003  # of Adam, for both networks, at a batch of 64
WARMUP = 200  # steps
DECAY = 0.999  # of the averaged weights
KINDS = (DiffAugment.COLOR, DiffAugment.TRANSLATION, DiffAugment.CUTOUT)


def level_faces(path: Path) -> NDArray[np.uint8]:
    """Faces (N, 64, 64, 3) seen from the front, the eyes always at the same places."""
    folder = ImageFolder(path)
    faces = []
    for split in folder.splits or ("",):
        pointed = PointedFolder(folder.another_split((split,)))
        for name in pointed.names:
            points = pointed.things(name).points[0].astype(float)
            left, right, nose = points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30]
            across = right - left
            place = float((nose - left) @ across / (across @ across))
            if abs(2 * place - 1) > PROFILE:
                continue
            # From the square to the picture: (x, y) turned and stretched.
            scale = across / ((1 - 2 * EYES[0]) * 2 * SIDE)
            turn = np.array([[scale[0], -scale[1]], [scale[1], scale[0]]])
            shift = left - turn @ (np.array(EYES) * 2 * SIDE)
            photo = to_array(pointed.folder.picture(name))
            frame = max(photo.shape)
            # Beyond the frame its border goes on.
            photo = np.pad(photo, ((frame, frame), (frame, frame), (0, 0)), "edge")
            matrix = (*turn[0], shift[0] + frame, *turn[1], shift[1] + frame)
            face = Image.fromarray(photo).transform(
                (2 * SIDE, 2 * SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
            )
            faces.append(np.asarray(face.reduce(2)))
    return np.stack(faces)


def sheet(images: Tensor) -> NDArray[np.uint8]:
    """64 pictures (64, 3, H, W) in -1..1 in rows of eight."""
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return np.vstack([np.hstack(pixels[row : row + 8]) for row in range(0, 64, 8)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=48, help="of the generator")
    parser.add_argument("--discriminator-width", type=int, default=64)
    options = parser.parse_args()
    begin = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    options.output.mkdir(parents=True, exist_ok=True)
    log = (options.output / "log.txt").open("w", buffering=1)
    faces = torch.from_numpy(level_faces(options.source)).to(device).permute(0, 3, 1, 2)
    print(f"{len(faces)} faces, {time.monotonic() - begin:.0f} s", file=log)

    def to(network: torch.nn.Module) -> torch.nn.Module:
        return network.to(device, memory_format=torch.channels_last)

    network = to(ResidualGenerator(image_size=SIDE, latent=LATENT, width=options.width))
    averaged = copy.deepcopy(network).requires_grad_(False)
    discriminator = to(ResidualDiscriminator(image_size=SIDE, width=options.discriminator_width))
    optimizers = [torch.optim.Adam(net.parameters(), RATE, (0.0, 0.99)) for net in (network, discriminator)]
    shown = torch.randn(64, LATENT, device=device, generator=torch.Generator(device).manual_seed(0))

    def scores(images: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return discriminator(augment(images, KINDS)).float()

    def made(net: torch.nn.Module, latent: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return net(latent).float()

    step, validations, progress = 0, 1, 0.0
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / (0.97 * options.seconds))
        rate = RATE * min(1.0, (step + 1) / WARMUP, 2 - 2 * progress)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
        real = faces[torch.randint(len(faces), (options.batch,), device=device)].float() / 127.5 - 1
        real = torch.where(torch.rand(len(real), 1, 1, 1, device=device) < 0.5, real, real.flip(3))
        with torch.no_grad():
            fake = made(network, torch.randn(options.batch, LATENT, device=device))
        loss = discriminator_loss(GanLoss.HINGE, scores(real), scores(fake))
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()

        discriminator.requires_grad_(False)
        contest = generator_loss(
            GanLoss.HINGE, scores(made(network, torch.randn(options.batch, LATENT, device=device)))
        )
        discriminator.requires_grad_(True)
        optimizers[0].zero_grad()
        contest.backward()
        optimizers[0].step()
        step += 1
        kept = min(DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - kept)
            for ours, theirs in zip(averaged.buffers(), network.buffers(), strict=True):
                ours.lerp_(theirs, 1 - kept) if ours.is_floating_point() else ours.copy_(theirs)

        if step % 200 == 0:
            print(f"step {step}: contest {contest.item():.3f}, loss {loss.item():.3f}", file=log)
        if progress * 8 >= validations or progress == 1:
            averaged.eval()
            with torch.no_grad():
                samples = made(averaged, shown)
            real = faces[torch.linspace(0, len(faces) - 1, 64, device=device).long()].float() / 127.5 - 1
            both = np.hstack((sheet(samples), sheet(real)))
            Image.fromarray(both).save(options.output / f"{validations}.jpg", quality=88)
            half = {name: value.half().cpu() for name, value in averaged.state_dict().items()}
            torch.save(half, options.output / "writing.pt")
            (options.output / "writing.pt").replace(options.output / "last.pt")
            seconds = time.monotonic() - begin
            print(f"{seconds:.0f} s, step {step}: {step / seconds:.1f} steps a second", file=log)
            validations += 1


if __name__ == "__main__":
    main()
