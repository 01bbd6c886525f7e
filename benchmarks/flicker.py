"""How much a restored video flickers where nothing moves, beside how much its source does.

    python benchmarks/flicker.py clip.mp4 [--frames 40] [--size 256x144] [--noise 8] [--dark 0.25] [--styles MODEL]

Each task gets the damaged clip: noise for denoise, inpaint and upscale, grayness and noise for colorize, darkness and
noise for brighten. Static is a pixel whose undamaged value differs by less than 4 of 255 from frame to frame; of those
the mean absolute difference of consecutive frames is given, before and after. What interpolation makes of the same
noise stands beside upscale: bicubic weights average neighbours, and so make noise smaller where they enlarge it.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import edgevision
from edgevision.imaging.pictures import Picture
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.restoration.steady_maps import SteadyMaps

_STATIC = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", default="256x144")
    parser.add_argument("--noise", type=float, default=8)
    parser.add_argument("--dark", type=float, default=0.25)
    parser.add_argument("--styles", type=Path, help="a model of edgevision run stylize")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    with open_source(str(arguments.clip), Excerpt(size=(width, height))) as source:
        clean = [frame.pixels for frame, _ in zip(source.frames(), range(arguments.frames), strict=False)]
    generator = np.random.default_rng(0)
    noisy = [noised(frame, 1.0, arguments.noise, generator) for frame in clean]
    dark = [noised(frame, arguments.dark, arguments.noise / 4, generator) for frame in clean]
    mask = np.zeros(clean[0].shape[:2], bool)
    mask[height // 3 : height // 3 + 12, width // 4 : width // 2] = True
    print(f"{'task':<22}{'source':>8}{'result':>8}   mean |difference| of 255 where nothing moves")
    with edgevision.load("denoise", threads=1) as denoise:
        denoised = [denoise(frame).pixels for frame in noisy]
    show("denoise", noisy, denoised, clean)
    with edgevision.load("inpaint", threads=1) as inpaint:
        show("inpaint (in the hole)", noisy, [inpaint(frame, mask).pixels for frame in noisy], clean, mask)
    with edgevision.load("upscale", threads=1) as upscale:
        for name, frames in (("", noisy), (" of denoised", denoised)):
            show(f"upscale{name}", frames, [upscale(frame).pixels for frame in frames], clean)
            show(f"bicubic{name}", frames, [twice(frame, Image.Resampling.BICUBIC) for frame in frames], clean)
    with edgevision.load("colorize", threads=1) as colorize:
        gray = [np.repeat(frame.mean(2, keepdims=True), 3, 2).round().astype(np.uint8) for frame in noisy]
        for smooth in (0.0, 0.5, 0.8, 0.9):
            steady = SteadyMaps(smooth) if smooth else None
            show(
                f"colorize --smooth {smooth:g}", gray, [colorize(frame, steady=steady).pixels for frame in gray], clean
            )
    with edgevision.load("brighten", threads=1) as brighten:
        for smooth in (0.0, 0.5, 0.8, 0.9):
            steady = SteadyMaps(smooth) if smooth else None
            result = [brighten(Picture(frame), steady=steady).pixels for frame in dark]
            # Light that grows makes every difference grow: the source is given the same.
            gain = np.mean([frame.mean() for frame in result]) / np.mean([frame.mean() for frame in dark])
            show(f"brighten --smooth {smooth:g}", [frame * gain for frame in dark], result, clean)
    if arguments.styles is not None:
        with edgevision.load(arguments.styles, threads=1) as stylize:
            for name, frames in (("", noisy), (" of denoised", denoised)):
                show(f"stylize{name}", frames, [stylize(frame).pixels for frame in frames], clean)


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
    after: list[np.ndarray],
    clean: list[np.ndarray],
    where: np.ndarray | None = None,
) -> None:
    """A line of the table; frames that were enlarged stand still where the frames that they are of do."""
    figures = [
        np.mean([difference(frames, clean, number, where) for number in range(1, len(clean))])
        for frames in (before, after)
    ]
    print(f"{task:<22}{figures[0]:8.3f}{figures[1]:8.3f}")


def difference(frames: list[np.ndarray], clean: list[np.ndarray], number: int, where: np.ndarray | None) -> float:
    """Between a frame and the one before, where nothing moves."""
    moved = np.abs(clean[number].astype(float) - clean[number - 1]).max(axis=2) >= _STATIC
    still = ~moved if where is None else ~moved & where
    times = len(frames[number]) // len(still)
    still = still.repeat(times, 0).repeat(times, 1)
    return float(np.abs(frames[number].astype(float) - frames[number - 1])[still].mean())


if __name__ == "__main__":
    main()
