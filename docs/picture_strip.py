"""Make the strip of pictures at the head of the README: what comes in on the left of each, what goes out on the right.

    python docs/picture_strip.py    # writes docs/pictures/strip.webp, and styles.webp, one picture in all styles

The results are what the models that ship give for the pictures in ``examples/``, damaged here where a damage is shown.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import edgevision

ROOT = Path(__file__).parents[1]
STRIP = ROOT / "docs" / "pictures" / "strip.webp"
STYLES = ROOT / "docs" / "pictures" / "styles.webp"
COLUMNS = 3
TILE = (400, 264)
GAP = 16
CAPTION = 36
# Can be read on white and on black, as the page around it may be either.
CAPTION_COLOUR = (128, 128, 128, 255)


@dataclass(frozen=True)
class Pair:
    """A picture before and after, in one size, and ``part``, left, top, right and bottom of what of it is shown.

    ``halves`` shows it once, on the left as it was and on the right as it became; else it is there twice.
    """

    caption: str
    before: Image.Image
    after: Image.Image
    part: tuple[int, int, int, int]
    halves: bool = True

    def tile(self) -> Image.Image:
        middle = TILE[0] // 2
        sizes = (TILE, TILE) if self.halves else ((middle, TILE[1]),) * 2
        before, after = (
            picture.resize(size, Image.Resampling.LANCZOS, box=self.part)
            for picture, size in zip((self.before, self.after), sizes, strict=True)
        )
        tile = Image.new("RGB", TILE)
        tile.paste(after, (TILE[0] - after.width, 0))
        tile.paste(before.crop((0, 0, middle, TILE[1])), (0, 0))
        ImageDraw.Draw(tile).line((middle, 0, middle, TILE[1]), fill="white", width=2)
        return tile


def example(name: str) -> Image.Image:
    """One of ``examples/``, RGB."""
    return Image.open(ROOT / "examples" / name).convert("RGB")


def shown(result: Any) -> Image.Image:
    """A pipeline's picture as Pillow has it."""
    return Image.fromarray(np.asarray(result)).convert("RGB")


def inpainted() -> Pair:
    """Letters are written over a picture and taken away again."""
    cat = example("pictures/cat.jpg")
    mask = Image.new("L", cat.size)
    pen = ImageDraw.Draw(mask)
    for line in range(9):
        pen.text((-35 * line, 34 * line), "what was written over it " * 3, fill=255, font=ImageFont.load_default(22))
    mask = mask.point(lambda value: 255 if value > 0 else 0)
    cat.paste((250, 240, 90), mask=mask)
    return Pair("run inpaint", cat, shown(edgevision.load("inpaint")(cat, mask)), (40, 10, 440, 274))


def upscaled() -> Pair:
    """A detail four times as large, beside its pixels."""
    cat = example("pictures/cat.jpg").crop((115, 60, 265, 159))
    size = (4 * cat.width, 4 * cat.height)
    large = shown(edgevision.load("upscale", scale=4)(cat))
    return Pair("run upscale --scale 4", cat.resize(size, Image.Resampling.NEAREST), large, (0, 0, *size))


def denoised() -> Pair:
    """Noise that depends on the light, as a camera's does, and that JPEG has smeared, is taken away."""
    cat = np.asarray(example("pictures/cat.jpg"), dtype=np.float64)
    noise = np.random.default_rng(1).normal(size=cat.shape) * np.sqrt(60 + 2.2 * cat)
    noisy = Image.fromarray(np.clip(cat + noise, 0, 255).astype(np.uint8))
    return Pair("run denoise", noisy, shown(edgevision.load("denoise")(noisy)), (40, 10, 440, 274))


def brightened() -> Pair:
    """A cup at a tenth of its light."""
    cup = np.asarray(example("coffee.jpg"), dtype=np.float64) / 255
    dark = Image.fromarray((255 * (0.1 * cup**2.2) ** (1 / 2.2)).astype(np.uint8))
    return Pair("run brighten", dark, shown(edgevision.load("brighten")(dark)), (0, 0, 450, 297))


def removed() -> Pair:
    """The rocket has gone before its time."""
    rocket = example("pictures/rocket.jpg")
    with edgevision.load("remove") as remove:
        gone = shown(remove(rocket, boxes=[(300, 118, 350, 405)]))
    return Pair("run remove --box", rocket, gone, (170, 5, 490, 427), halves=False)


def landmarked() -> Pair:
    """The 68 points of a face."""
    face = example("face.jpg")
    points = edgevision.load("keypoints")(face)
    return Pair("run keypoints", face, shown(points.draw(face)), (24, 24, 166, 212), halves=False)


def styled() -> list[tuple[str, Image.Image]]:
    """A picture in every style that ships."""
    cat = example("pictures/cat.jpg")
    with edgevision.load("stylize") as stylize:
        return [(style, shown(stylize(cat, style=style)).crop((40, 10, 440, 274))) for style in stylize.styles]


def strip(tiles: list[tuple[str, Image.Image]]) -> Image.Image:
    """All tiles in rows, each above its caption, transparent between."""
    rows = -(-len(tiles) // COLUMNS)
    size = (COLUMNS * TILE[0] + (COLUMNS - 1) * GAP, rows * (TILE[1] + CAPTION))
    sheet = Image.new("RGBA", size)
    pen = ImageDraw.Draw(sheet)
    for number, (caption, tile) in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        left, top = column * (TILE[0] + GAP), row * (TILE[1] + CAPTION)
        sheet.paste(tile, (left, top))
        place = (left + TILE[0] // 2, top + TILE[1] + CAPTION // 2)
        pen.text(place, caption, fill=CAPTION_COLOUR, font=ImageFont.load_default(18), anchor="mm")
    return sheet


if __name__ == "__main__":
    pairs = [inpainted(), removed(), upscaled(), denoised(), brightened(), landmarked()]
    STRIP.parent.mkdir(exist_ok=True)
    for path, tiles in ((STRIP, [(pair.caption, pair.tile()) for pair in pairs]), (STYLES, styled())):
        strip(tiles).save(path, quality=82, method=6)
        print(path.relative_to(ROOT))
