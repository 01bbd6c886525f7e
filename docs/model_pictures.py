"""Make the pictures of the cards in docs/models.md: what each model that ships makes of a picture in ``examples/``.

python docs/model_pictures.py    # writes docs/pictures/models/NAME.webp
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from picture_strip import CAPTION_COLOUR, Pair, brightened, denoised, example, inpainted, landmarked, shown, upscaled
from PIL import Image, ImageDraw, ImageFont

import edgevision
from edgevision.training.moving_digits import MovingDigits

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))
from make_pairs import drawn_things  # noqa: E402 - the examples are no package

PICTURES = ROOT / "docs" / "pictures" / "models"
TEXT = 22
"""Height of a line below a picture, in pixels."""


def row(pictures: list[tuple[Image.Image, str]], width: int, height: int) -> Image.Image:
    """Pictures side by side, each above what is said of it, as wide and as high."""
    sheet = Image.new("RGBA", (width * len(pictures), height + TEXT))
    pen = ImageDraw.Draw(sheet)
    for number, (picture, words) in enumerate(pictures):
        scale = max(width / picture.width, height / picture.height)
        size = (round(picture.width * scale), round(picture.height * scale))
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        fitted = picture.resize(size, Image.Resampling.LANCZOS).crop((left, top, left + width, top + height))
        sheet.paste(fitted, (number * width, 0))
        place = ((number + 0.5) * width, height + TEXT / 2)
        pen.text(place, words, fill=CAPTION_COLOUR, font=ImageFont.load_default(13), anchor="mm")
    return sheet


def classified() -> Image.Image:
    """A kind that it knows, one that it knows by another name, and one that it does not know."""
    with edgevision.load("classify") as classify:
        pictures = [example(name) for name in ("pictures/cat.jpg", "pictures/rocket.jpg", "coffee.jpg")]
        return row([(one, f"{classify(one).label} {classify(one).probability:.0%}") for one in pictures], 150, 120)


def white_noise_removed() -> Image.Image:
    """Noise of one strength, whatever the light."""
    cat = np.asarray(example("pictures/cat.jpg"), dtype=np.float64)
    noise = np.random.default_rng(1).normal(size=cat.shape) * 25
    noisy = Image.fromarray(np.clip(cat + noise, 0, 255).astype(np.uint8))
    with edgevision.load("denoise_white") as denoise:
        return Pair("", noisy, shown(denoise(noisy)), (40, 10, 440, 274)).tile()


def doubled() -> Image.Image:
    """A detail twice as large, beside its pixels."""
    cat = example("pictures/cat.jpg").crop((115, 60, 315, 192))
    size = (2 * cat.width, 2 * cat.height)
    with edgevision.load("upscale") as upscale:
        return Pair("", cat.resize(size, Image.Resampling.NEAREST), shown(upscale(cat)), (0, 0, *size)).tile()


def colorized() -> Image.Image:
    """A gray photograph gets colours."""
    cat = example("pictures/cat.jpg")
    gray = cat.convert("L").convert("RGB")
    with edgevision.load("colorize") as colorize:
        return row([(gray, "gray"), (shown(colorize(gray)), "run colorize"), (cat, "as it was")], 160, 106)


def translated() -> Image.Image:
    """A drawing of nuclei, made of what the segmenter finds, becomes a micrograph."""
    nuclei = example("nuclei.jpg").crop((0, 0, 256, 192))
    with edgevision.load("segment_nuclei") as segment, edgevision.load("translate") as translate:
        drawing = Image.fromarray(drawn_things(np.asarray(nuclei), np.asarray(segment(nuclei)).astype(np.int64)))
        made = shown(translate(drawing))
    return row([(drawing, "drawn"), (made, "run translate"), (nuclei, "real")], 160, 120)


def found(task: str, name: str, size: tuple[int, int]) -> Callable[[], Image.Image]:
    """What a task finds, drawn."""

    def make() -> Image.Image:
        picture = example(name)
        with edgevision.load(task) as find:
            drawn = shown(find(picture).draw(picture)).crop((0, 0, *picture.size))
        return row([(picture, name), (drawn, f"{task}")], *size)

    return make


def generated() -> Image.Image:
    """Two samples of each class, not chosen."""
    with edgevision.load("generate") as generate:
        labels = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
        columns = [(label, [shown(one) for one in generate(2, seed=0, label=label)]) for label in labels]
    pairs = []
    for label, samples in columns:
        pair = Image.new("RGB", (32, 64))
        for number, sample in enumerate(samples):
            pair.paste(sample, (0, 32 * number))
        pairs.append((pair, label))
    return row(pairs, 70, 140)


def watched() -> Image.Image:
    """Every third frame of a clip, and what is said after it."""
    frames = [np.asarray(frame) for frame in MovingDigits("test").frames(3)]
    with edgevision.load("sequence") as classify:
        watching = classify.watch()
        answers = [watching.next(frame) for frame in frames]
    chosen = range(0, len(frames), 3)
    return row([(Image.fromarray(frames[number]).convert("RGB"), answers[number].label) for number in chosen], 80, 80)


def compressed() -> Image.Image:
    """A detail in few bytes and in more, beside a JPEG of as many."""
    cat = example("pictures/cat.jpg")
    part = (100, 40, 340, 220)
    with edgevision.load("compress") as compress, edgevision.load("decompress") as decompress:
        small = [compress(cat, quality=quality) for quality in (1, 3)]
        tiles = [(shown(decompress(one)).crop(part), f"{len(one.content) / 1000:.1f} kB") for one in small]
    return row([(cat.crop(part), f"{3 * cat.width * cat.height / 1000:.0f} kB, its pixels"), *tiles], 200, 150)


CARDS: dict[str, Callable[[], Image.Image]] = {
    "classify": classified,
    "inpaint": lambda: inpainted().tile(),
    "denoise": lambda: denoised().tile(),
    "denoise_white": white_noise_removed,
    "upscale": doubled,
    "upscale_x4": lambda: upscaled().tile(),
    "brighten": lambda: brightened().tile(),
    "colorize": colorized,
    "translate": translated,
    "segment": found("segment", "face.jpg", (200, 220)),
    "segment_nuclei": found("segment_nuclei", "nuclei.jpg", (256, 191)),
    "detect": found("detect", "smear.jpg", (280, 210)),
    "keypoints": lambda: landmarked().tile(),
    "generate": generated,
    "sequence": watched,
    "compress": compressed,
}

if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, make in CARDS.items():
        path = PICTURES / f"{name}.webp"
        make().save(path, quality=80, method=6)
        print(f"{path.relative_to(ROOT)}, {path.stat().st_size / 1000:.0f} kB")
