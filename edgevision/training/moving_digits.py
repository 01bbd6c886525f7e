"""The built-in clips: scikit-learn's handwritten digits that move, turn, grow, appear or vanish."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.training.digits import Digits

SIDE = 32
LENGTH = 16
"""Frames of a clip."""

_CLIPS = {"train": 4000, "val": 500, "test": 1000}
_NOISE = 8.0
"""Standard deviation, of 255."""

_HELD_FOR_VALIDATION = 10
"""Of so many digits to train on one is validated on."""


class _Way(NamedTuple):
    """Where the digit is in each frame, how it is turned, how large and how visible; float64 (T,) each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]
    opacity: NDArray[np.float64]


class MovingDigits:
    """One split of the clips: the class is what the digit does, whichever it is; a :class:`.clips.ClipDataset`.

    The digits of one split are in no other, and a clip depends on the ``seed``, its split and its number alone: 16
    frames of 32x32, gray, noisy, the digit anywhere, of any size and brightness, and never quite still.
    """

    class_names: tuple[str, ...] = (
        *("appears", "falls", "grows", "moves left", "moves right", "rises", "shrinks"),
        *("turns left", "turns right", "vanishes"),
    )
    splits: ClassVar[tuple[str, ...]] = ("test", "train", "val")

    def __init__(self, split: str, *, seed: int = 0, clips: int | None = None) -> None:
        """``clips`` are how many there are, by default 4,000, 500 and 1,000 to train on, to validate and to test on."""
        if split not in self.splits:
            raise DatasetError(f"the moving digits have no split {split!r}; they have {', '.join(self.splits)}")
        digits = Digits("test" if split == "test" else "train")
        every = range(len(digits))
        held = [index % _HELD_FOR_VALIDATION == 0 for index in every]
        chosen = [index for index in every if split == "test" or held[index] == (split == "val")]
        # A dark border, so that what lies between a digit and nothing is shaded.
        self._digits = [np.pad(np.asarray(digits.image(index)), 1) for index in chosen]
        self.split = split
        self.labels: NDArray[np.int64] = np.arange(_CLIPS[split] if clips is None else clips) % len(self.class_names)
        self._key = (seed, self.splits.index(split))

    def __len__(self) -> int:
        return len(self.labels)

    def frames(self, index: int) -> Iterator[NDArray[np.uint8]]:
        """One clip, frame by frame, uint8 (32, 32)."""
        generator = np.random.default_rng((*self._key, index))
        digit = Image.fromarray(self._digits[int(generator.integers(len(self._digits)))])
        way = _way(self.class_names[self.labels[index]], generator)
        brightness = generator.uniform(0.5, 1.0)
        noise = generator.normal(0, _NOISE, (LENGTH, SIDE, SIDE))
        for number in range(LENGTH):
            drawn = np.asarray(_placed(digit, way, number), np.float64)
            yield np.clip(brightness * way.opacity[number] * drawn + noise[number], 0, 255).astype(np.uint8)

    def save(self, folder: Path) -> None:
        """Write them as GIFs, ``folder/CLASS/NUMBER.gif``, for what takes clips from the disk."""
        for index, label in enumerate(self.labels):
            first, *others = map(Image.fromarray, self.frames(index))
            target = folder / self.class_names[label] / f"{index:05}.gif"
            target.parent.mkdir(parents=True, exist_ok=True)
            first.save(target, save_all=True, append_images=others, duration=40)


def _way(motion: str, generator: np.random.Generator) -> _Way:
    # From any part of the way before the middle to the rest behind it: one frame tells little of where it leads.
    along = np.linspace(0, 1, LENGTH) - generator.uniform(0, 1)
    still = np.zeros(LENGTH)
    x, y = (SIDE / 2 + generator.uniform(-5, 5) + generator.normal(0, 0.3, LENGTH) for _ in range(2))
    angle = np.full(LENGTH, generator.uniform(-0.5, 0.5))
    scale = np.full(LENGTH, generator.uniform(1.2, 2.0))
    opacity = still + 1
    distance = generator.uniform(7, 14)
    if motion in ("moves left", "moves right"):
        x = x + (distance if motion == "moves right" else -distance) * along
    elif motion in ("falls", "rises"):
        y = y + (distance if motion == "falls" else -distance) * along
    elif motion in ("turns left", "turns right"):
        angle = angle + generator.uniform(1.2, 3.5) * (along if motion == "turns right" else -along)
    elif motion in ("grows", "shrinks"):
        scale = scale * np.exp(generator.uniform(0.5, 0.9) * (along if motion == "grows" else -along))
    else:
        # Within three frames, at some time that leaves enough of before and after.
        shown = np.clip((np.arange(LENGTH) - generator.uniform(0.25, 0.75) * LENGTH) / 3 + 0.5, 0, 1)
        opacity = shown if motion == "appears" else 1 - shown
    return _Way(x, y, angle, scale, opacity)


def _placed(digit: Image.Image, way: _Way, number: int) -> Image.Image:
    """The digit in its place, on black."""
    cos, sin = (function(way.angle[number]) / way.scale[number] for function in (np.cos, np.sin))
    x, y, centre = way.x[number], way.y[number], digit.width / 2
    # From a place in the frame to one in the digit; y points downwards, so that positive angles turn right.
    back = (cos, sin, centre - cos * x - sin * y, -sin, cos, centre + sin * x - cos * y)
    return digit.transform((SIDE, SIDE), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
