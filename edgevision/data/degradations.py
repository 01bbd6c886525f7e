"""What restoration undoes, applied on purpose: to train on, and to measure with.

All randomness comes from the generator that is passed in, so that a seed gives the same damage on every machine.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edgevision.data.hole_kinds import HoleKind

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]

# No stroke covers more pixels: 15 steps of 12, 5 wide, take at most 72 each as Pillow draws them, a joint 8 more.
_LARGEST_STROKE = 1500


def draw_holes(kind: HoleKind, height: int, width: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """A mask (height, width), true where the picture is to be damaged; never empty and never all of it."""
    canvas = Image.new("L", (width, height))
    _PAINTERS[kind](canvas, generator)
    mask = np.asarray(canvas) > 127
    if not mask.any() or mask.all():
        mask = np.zeros_like(mask)
        mask[height // 3 : max(2 * height // 3, height // 3 + 1), width // 3 : max(2 * width // 3, width // 3 + 1)] = (
            height * width > 1
        )
    return mask


def add_noise(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    """Add white Gaussian noise of standard deviation ``sigma``, in steps of 1/255, to float32 (..., C) in 0..1.

    The result is not clipped, as in the denoising literature. Gray pictures held in three equal channels should get
    their noise before they are repeated.
    """
    # Drawn in double precision, as published figures were.
    noise = generator.standard_normal(image.shape) * (sigma / 255)
    return image + noise.astype(np.float32)


def shrink(picture: Image.Image, scale: int) -> Image.Image:
    """``1 / scale`` of the size by Pillow's antialiased bicubic filter, whose kernel is that of MATLAB's imresize.

    Remainders of the sides are cut off at the right and the bottom first.
    """
    width, height = picture.width // scale, picture.height // scale
    # Cut for good: with resize's box the filter would look beyond it.
    whole = picture.crop((0, 0, max(1, width * scale), max(1, height * scale)))
    return whole.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC)


def underexpose(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """The picture as a camera would have taken it with too little light: uint8 (H, W, 3) to the same.

    The light is cut by 1.5 to 4.5 stops before the display gamma of 2.2, the shadows are pushed down by a further
    gamma of 1 to 1.6, and the sensor's shot noise is added, which is rounded to 8 bits with the rest.
    """
    stops = generator.uniform(1.5, 4.5)
    gamma = generator.uniform(1.0, 1.6)
    light = (pixels.astype(np.float32) / 255) ** np.float32(2.2 * gamma) * np.float32(2.0**-stops)
    # A full well of 10,000 electrons: the shot noise of a small sensor.
    light += np.sqrt(light / 10_000) * generator.standard_normal(light.shape, np.float32)
    dark = np.clip(light, 0, 1) ** np.float32(1 / 2.2)
    return (dark * 255 + 0.5).astype(np.uint8)


def _paint_strokes(canvas: Image.Image, generator: np.random.Generator) -> None:
    share = 0.0
    while share < 0.1:
        # As many as cannot exceed the tenth are drawn at once: measuring after each takes seconds in a large picture.
        for _ in range(max(1, int((0.1 - share) * canvas.width * canvas.height / _LARGEST_STROKE))):
            _paint_curve(canvas, int(generator.integers(2, 6)), generator)
        share = float(np.mean(np.asarray(canvas) > 0))


def _paint_pixels(canvas: Image.Image, generator: np.random.Generator) -> None:
    side = int(generator.integers(1, 4))
    shape = (-(-canvas.height // side), -(-canvas.width // side))
    dots = Image.fromarray((generator.random(shape) < generator.uniform(0.3, 0.8)).astype(np.uint8) * 255)
    canvas.paste(dots.resize((shape[1] * side, shape[0] * side), Image.Resampling.NEAREST))


def _paint_text(canvas: Image.Image, generator: np.random.Generator) -> None:
    draw = ImageDraw.Draw(canvas)
    size = int(generator.integers(10, 29))
    try:
        font: ImageFont.ImageFont | ImageFont.FreeTypeFont = ImageFont.load_default(size)
    except ImportError:  # a Pillow without FreeType has one size only
        font = ImageFont.load_default()
    line = int(size * generator.uniform(1.2, 3.0))
    for top in range(int(generator.integers(0, line)), canvas.height, line):
        letters = "".join(chr(c) for c in generator.integers(48, 123, canvas.width // 6 + 1))
        draw.text((float(generator.integers(-20, 20)), top), letters, fill=255, font=font)
    for _ in range(int(generator.integers(0, 4))):
        ends = [(float(generator.uniform(0, canvas.width)), float(generator.uniform(0, canvas.height))) for _ in "ab"]
        draw.line(ends, fill=255, width=int(generator.integers(1, 4)))


def _paint_boxes(canvas: Image.Image, generator: np.random.Generator) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(generator.integers(1, 4))):
        # In a picture not much larger than the box, half of the side, so that there is something to fill it from.
        width = min(int(generator.integers(48, 81)), max(1, canvas.width // 2))
        height = min(int(generator.integers(48, 81)), max(1, canvas.height // 2))
        left = int(generator.integers(0, canvas.width - width + 1))
        top = int(generator.integers(0, canvas.height - height + 1))
        draw.rectangle((left, top, left + width - 1, top + height - 1), fill=255)


def _paint_blobs(canvas: Image.Image, generator: np.random.Generator) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(generator.integers(1, 4))):
        _paint_curve(canvas, int(generator.integers(8, 25)), generator)
        radii = generator.uniform(6, 32, 2)
        x, y = generator.uniform(0, canvas.width), generator.uniform(0, canvas.height)
        draw.ellipse((x - radii[0], y - radii[1], x + radii[0], y + radii[1]), fill=255)


def _paint_curve(canvas: Image.Image, thickness: int, generator: np.random.Generator) -> None:
    """A line that wanders: every few pixels it turns a little."""
    x, y = generator.uniform(0, canvas.width), generator.uniform(0, canvas.height)
    angle = generator.uniform(0, 2 * math.pi)
    bend = generator.uniform(-0.3, 0.3)
    points = [(x, y)]
    for _ in range(int(generator.integers(4, 16))):
        angle += bend + generator.normal(0, 0.25)
        x, y = x + 12 * math.cos(angle), y + 12 * math.sin(angle)
        points.append((x, y))
    ImageDraw.Draw(canvas).line(points, fill=255, width=thickness, joint="curve")


_PAINTERS = {
    HoleKind.STROKES: _paint_strokes,
    HoleKind.TEXT: _paint_text,
    HoleKind.BOXES: _paint_boxes,
    HoleKind.BLOBS: _paint_blobs,
    HoleKind.PIXELS: _paint_pixels,
}
