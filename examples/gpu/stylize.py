"""Train the network that paints photographs in several styles on a GPU that is had for minutes.

    python examples/gpu/stylize.py --photos photos --style wave.jpg starry.jpg --seconds 480 -o stylize

As `edgevision train stylize`, with all photographs on the GPU, until the time is over. stylize.pt is the moving average
of the weights, log.txt has the losses of the held-out tenth, sheet.jpg shows some of it in every style.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from clocked import CUDA, DEVICE, Average, Clock, autocast, cosine, descend, keep
from crops import PhotoCrops
from PIL import Image

from edgevision.models import build_model
from edgevision.training.photo_crops import Photos
from edgevision.training.settings import StyleSettings
from edgevision.training.style_loss import StyleLoss
from edgevision.training.style_module import StyleModule
from edgevision.training.stylize import network_options, painting, stylization_metadata

BATCH = 16 if CUDA else 2
CROP = 256 if CUDA else 64
LEARNING_RATE = 0.003
EMA = 0.998
VALIDATE_EVERY = 40 if CUDA else 10
SHOWN = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--style-size", type=int, default=384)
    parser.add_argument("--style-weight", type=float, default=10)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    clock = Clock(given.seconds)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    settings = StyleSettings(
        data=(given.photos,),
        styles=tuple(given.style),
        style_size=given.style_size,
        style_weight=given.style_weight,
        crop=CROP,
        batch_size=BATCH,
        steps=1000,
        validate_every=1000,
        licence="Apache-2.0",
    )
    options = network_options(settings)
    paintings = [painting(Path(style), settings.style_size) for style in settings.styles]
    module = StyleModule(
        build_model(settings.model, **options), settings, StyleLoss([each.to(DEVICE) for each in paintings])
    ).to(DEVICE)
    photos, held_out = (Photos(settings.data, held_out=held, quiet=True) for held in (False, True))
    seen = PhotoCrops([photos[i] for i in range(len(photos))], CROP, DEVICE)
    unseen = middle_squares([held_out[i] for i in range(len(held_out))])
    styles = torch.arange(len(unseen), device=DEVICE) % len(paintings)
    average = Average(module.network, EMA)
    optimizer = torch.optim.Adam(module.network.parameters(), lr=0.0, betas=(0.9, 0.99), fused=CUDA)
    given.output.mkdir(parents=True, exist_ok=True)
    log = (given.output / "log.txt").open("w", buffering=1)
    log.write(f"{len(photos)} photographs, {len(unseen)} held out, loaded after {clock.seconds():.0f} s\n")
    steps, validated = 0, 0.0

    def validate() -> None:
        trained, module.network = module.network, average.network
        module.eval()
        with torch.no_grad():
            for image, style in zip(unseen.split(8), styles.split(8), strict=True):
                module.validation_step({"image": image, "style": style}, 0)
            some = unseen[:SHOWN]
            ones = torch.ones(len(some), dtype=torch.int64, device=DEVICE)
            painted = [module({"image": some, "style": ones * style}).clamp(0, 1) for style in range(len(paintings))]
            shown = torch.stack([some, *painted])
        content, style = float(module.content.compute()), float(module.style.compute())
        module.content.reset()
        module.style.reset()
        module.train()
        module.network = trained
        log.write(f"{clock.seconds():.0f} s, {steps} steps, held out: content {content:.4f}, style {style:.4f}\n")
        sheet = (255 * shown.permute(1, 3, 0, 4, 2).flatten(0, 1).flatten(1, 2)).byte().cpu().numpy()
        Image.fromarray(sheet).save(given.output / "sheet.jpg", quality=75)
        figures = {"loss": content + settings.style_weight * style, "content": content, "style": style}
        plain = build_model(settings.model, **options).eval()
        metadata = stylization_metadata(settings, plain, figures, clock.seconds() / 3600, paintings=paintings)
        keep(given.output / "stylize.pt", average.network, metadata, settings.model, options)

    while clock.done() < 1:
        for group in optimizer.param_groups:
            group["lr"] = cosine(LEARNING_RATE, clock.done(), steps)
        image = seen.draw(BATCH).float() / 255
        style = torch.randint(len(paintings), (BATCH,), device=DEVICE)
        with autocast():
            loss = module.training_step({"image": image, "style": style}, steps)
        descend(loss, optimizer, module.network)
        average.update()
        steps += 1
        if clock.seconds() - validated > VALIDATE_EVERY:
            validated = clock.seconds()
            log.write(f"loss {loss.item():.4f}; ")
            validate()
    log.write("end; ")
    validate()


def middle_squares(photos: list[np.ndarray]) -> torch.Tensor:
    """float32 (count, 3, CROP, CROP) in 0..1."""
    squares = []
    for photo in photos:
        side = min(photo.shape[:2])
        top, left = ((length - side) // 2 for length in photo.shape[:2])
        square = Image.fromarray(photo[top : top + side, left : left + side]).resize(
            (CROP, CROP), Image.Resampling.BICUBIC
        )
        squares.append(torch.from_numpy(np.array(square)).permute(2, 0, 1))
    return torch.stack(squares).to(DEVICE).float() / 255


if __name__ == "__main__":
    main()
