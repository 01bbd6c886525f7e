"""How much a restored video flickers where nothing moves, beside how much its source does, and what that costs.

    python benchmarks/flicker.py clip.mp4 [--frames 40] [--size 256x144] [--noise 8] [--noise 2] [--dark 0.25]

Each task gets the damaged clip: noise for denoise, inpaint, upscale and stylize, grayness and noise for colorize,
darkness and noise for brighten; with --smooth as it is unless said otherwise, and without. Static is a pixel in whose
undamaged surroundings, 4 pixels to each side, nothing differs by 4 of 255 or more from frame to frame, so that it does
not lie in what moves; of those the mean absolute difference of consecutive frames is given. Where it differs by 16 or
more, something moved: there the result should be that of the frame by itself, and the PSNR to that is given. What
bicubic interpolation makes of the same noise stands beside upscale: its weights average neighbours, and so make noise
smaller where they enlarge it.
"""

import argparse
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

import edgevision
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.restoration.steadiness import Steadiness

_STATIC, _MOVED, _AROUND = 4, 16, 4

Restore = Callable[[np.ndarray, Steadiness | None], np.ndarray]
"""From a frame, and what keeps results steady, to the result."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--start", type=Fraction, default=Fraction(0), help="seconds")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", default="256x144")
    parser.add_argument("--noise", type=float, action="append")
    parser.add_argument("--dark", type=float, default=0.25)
    parser.add_argument("--smooth", type=float, action="append", help="shares beside those that the tasks have")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    with open_source(str(arguments.clip), Excerpt(start=arguments.start, size=(width, height))) as source:
        clean = [frame.pixels for frame, _ in zip(source.frames(), range(arguments.frames), strict=False)]
    shares = [0.0, *(arguments.smooth or ())]
    print(f"{'task':<24}{'smooth':>7}{'source':>8}{'result':>8}{'moving':>8}")
    for sigma in arguments.noise or [8.0]:
        print(f"noise of sigma {sigma:g}")
        compare(clean, sigma, arguments.dark, shares)


def compare(clean: list[np.ndarray], sigma: float, light: float, shares: Sequence[float]) -> None:
    """Print a table."""
    generator = np.random.default_rng(0)
    noisy = [noised(frame, 1.0, sigma, generator) for frame in clean]
    dark = [noised(frame, light, sigma / 4, generator) for frame in clean]
    gray = [np.repeat(frame.mean(2, keepdims=True), 3, 2).round().astype(np.uint8) for frame in noisy]
    height, width = clean[0].shape[:2]
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height // 3 + 12, width // 4 : width // 2] = True
    with edgevision.load("denoise", threads=1) as denoise:
        denoised = show("denoise", noisy, lambda frame, steady: denoise(frame, steady=steady).pixels, clean, shares)
    with edgevision.load("inpaint", threads=1) as inpaint:
        show("inpaint (in the hole)", noisy, lambda frame, _: inpaint(frame, mask).pixels, clean, [0], mask)
    with edgevision.load("upscale", threads=1) as upscale:
        for name, frames in (("", noisy), (" of denoised", denoised)):
            made: Restore = lambda frame, steady: upscale(frame, steady=steady).pixels  # noqa: E731
            show(f"upscale{name}", frames, made, clean, [*shares, 0.5])
            show(f"bicubic{name}", frames, lambda frame, _: twice(frame, Image.Resampling.BICUBIC), clean, [0])
    with edgevision.load("colorize", threads=1) as colorize:
        show("colorize", gray, lambda frame, steady: colorize(frame, steady=steady).pixels, clean, [*shares, 0.9])
    with edgevision.load("brighten", threads=1) as brighten:
        show("brighten", dark, lambda frame, steady: brighten(frame, steady=steady).pixels, clean, [*shares, 0.8])
    with edgevision.load("stylize", threads=1) as stylize:
        for name, frames in (("", noisy), (" of denoised", denoised)):
            made = lambda frame, steady: stylize(frame, steady=steady).pixels  # noqa: E731
            show(f"stylize{name}", frames, made, clean, [*shares, 0.9])


def twice(frame: np.ndarray, how: Image.Resampling) -> np.ndarray:
    """``frame`` at twice its size."""
    height, width = frame.shape[:2]
    return np.asarray(Image.fromarray(frame).resize((2 * width, 2 * height), how))


def noised(frame: np.ndarray, light: float, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """``frame`` with less light and white noise."""
    return (frame * light + generator.normal(0, sigma, frame.shape)).round().clip(0, 255).astype(np.uint8)


def show(
    task: str,
    before: list[np.ndarray],
    restore: Restore,
    clean: list[np.ndarray],
    shares: Sequence[float],
    where: np.ndarray | None = None,
) -> list[np.ndarray]:
    """A line of the table for each share of the frames before; the results without."""
    alone: list[np.ndarray] = []
    for smooth in shares:
        steady = Steadiness(smooth) if smooth else None
        after = [restore(frame, steady) for frame in before]
        alone = alone or after
        # Light that grows makes every difference grow: the source is given the same.
        gain = np.mean([frame.mean() for frame in after]) / np.mean([frame.mean() for frame in before])
        source = [frame * gain for frame in before] if task == "brighten" else before
        figures = [flicker(frames, clean, where) for frames in (source, after)]
        moving = f"{change_where_moving(after, alone, clean):8.1f}" if smooth else ""
        print(f"{task:<24}{smooth:7g}{figures[0]:8.3f}{figures[1]:8.3f}{moving}", flush=True)
    return alone


def flicker(frames: list[np.ndarray], clean: list[np.ndarray], where: np.ndarray | None) -> float:
    """The mean absolute difference of consecutive frames where nothing moves."""
    differences = [np.empty(0)]
    for number in range(1, len(clean)):
        still = surroundings_most(change(clean, number)) < _STATIC
        still = enlarged(still if where is None else still & where, frames[number])
        differences.append(np.abs(frames[number].astype(float) - frames[number - 1])[still].ravel())
    every = np.concatenate(differences)
    return float(every.mean()) if every.size else np.nan


def change_where_moving(frames: list[np.ndarray], alone: list[np.ndarray], clean: list[np.ndarray]) -> float:
    """The PSNR of frames to those that were made each by itself, where something moves."""
    squares = [
        (frames[number] - alone[number].astype(float))[enlarged(change(clean, number) >= _MOVED, frames[number])] ** 2
        for number in range(1, len(clean))
    ]
    changed = np.concatenate(squares)
    return float(10 * np.log10(255**2 / max(changed.mean(), 1e-3))) if changed.size else np.nan


def change(clean: list[np.ndarray], number: int) -> np.ndarray:
    """How much each pixel changed since the frame before, by its channel that did most."""
    most: np.ndarray = np.abs(clean[number].astype(float) - clean[number - 1]).max(axis=2)
    return most


def surroundings_most(values: np.ndarray) -> np.ndarray:
    """The largest of (H, W) around each."""
    sides = 2 * _AROUND + 1
    padded = np.pad(values, _AROUND, mode="edge")
    most: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, (sides, sides)).max(axis=(2, 3))
    return most


def enlarged(where: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """``where`` in a frame that may be some times as large."""
    times = len(frame) // len(where)
    return where.repeat(times, 0).repeat(times, 1)


if __name__ == "__main__":
    main()
