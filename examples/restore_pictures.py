"""Damage a picture on purpose, restore it with the models that ship, and say how much of it came back.

    python examples/restore_pictures.py [FOLDER]

The same on the command line:

    edgevision run inpaint cat.jpg mask.png -o whole.png
    edgevision run denoise noisy.png -o clean.png
    edgevision run brighten dark.png -o bright.png
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import edgevision
from edgevision.data.degradations import add_noise, draw_holes, underexpose
from edgevision.data.hole_kinds import HoleKind
from edgevision.imaging.pictures import Picture
from edgevision.metrics.figures import psnr_db

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
good = Picture.read(Path(__file__).parent / "pictures" / "cat.jpg")
pixels = good.pixels.astype(np.float32) / 255
generator = np.random.default_rng(0)

# Three pictures of one cat: torn, noisy, dark.
holes = draw_holes(HoleKind.STROKES, good.height, good.width, generator)
torn = good.with_pixels(np.where(holes[:, :, None], np.uint8(255), good.pixels), None)
noisy = good.with_pixels((add_noise(pixels, 25, generator).clip(0, 1) * 255).round().astype(np.uint8), None)
dark = good.with_pixels(underexpose(good.pixels, generator), None)

with edgevision.load("inpaint") as inpaint, edgevision.load("denoise") as denoise, edgevision.load("brighten") as light:
    for name, damaged, restored in (
        ("torn", torn, inpaint(torn, holes)),
        ("noisy", noisy, denoise(noisy)),
        ("dark", dark, light(dark)),
    ):
        damaged.save(folder / f"{name}.png")
        restored.save(folder / f"{name}-restored.png")
        before, after = (psnr_db(pixels, picture.pixels / 255) for picture in (damaged, restored))
        print(f"{name}: {before:.1f} dB before, {after:.1f} dB after")

with edgevision.load("upscale") as upscale:
    large = upscale(good)
    print(f"enlarged: {good.width}x{good.height} to {large.width}x{large.height}")
print(f"pictures in {folder}")
