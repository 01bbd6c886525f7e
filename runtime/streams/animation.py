"""The frames of a .gif or .webp file, which Pillow reads."""

import time
from collections.abc import Generator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.imaging.images import to_array
from edgevision.runtime.streams.decoding import LARGEST_SIDE, fitted
from edgevision.runtime.streams.frame import Frame, Pixels, StreamFacts
from edgevision.runtime.streams.frame_choice import FrameChoice
from edgevision.runtime.streams.source import Excerpt

_USUAL_MILLISECONDS = 100
"""What browsers take for a frame whose own time is 0."""

_MILLISECOND = Fraction(1, 1000)


class Animation:
    """A .gif or .webp of one frame or several; what is transparent is white. See :class:`.source.FrameSource`."""

    live = False

    def __init__(self, file: Path | BytesIO, excerpt: Excerpt, *, index: int = 0, name: str | None = None) -> None:
        """Open ``file``, which is called ``name`` if it has none; :class:`InputError` where Pillow cannot."""
        self.name = name or str(file)
        self._excerpt, self._index = excerpt, index
        try:
            self._image = Image.open(file, formats=("GIF", "WEBP"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{self.name!r} cannot be read as an animation: {error}") from error
        if max(self._image.size) > LARGEST_SIDE:
            self._image.close()
            raise InputError(f"{self.name!r} has a side above {LARGEST_SIDE} pixels, the most that are read of a frame")
        count = int(getattr(self._image, "n_frames", 1))
        rate = Fraction(1000, self._milliseconds())
        self.facts = StreamFacts(rate=rate, time_base=_MILLISECOND, frames=count, seconds=float(count / rate))

    def _milliseconds(self) -> int:
        return round(self._image.info.get("duration") or _USUAL_MILLISECONDS)

    def frames(self) -> Generator[Frame, None, None]:
        """The frames, each as it is shown; :class:`InputError` at the first that is damaged."""
        choice, at = FrameChoice(self._excerpt), Fraction(0)
        for number in range(self.facts.frames or 1):
            arrived = time.monotonic()
            try:
                self._image.seek(number)
                self._image.load()
            except (OSError, EOFError, ValueError) as error:
                done = f"{number} of {self.facts.frames} frames could be decoded, which were done"
                raise InputError(f"{self.name!r} is damaged: {done}") from error
            if choice.is_over(at):
                return
            if choice.takes(at):
                pixels = picture_pixels(self._image, self._excerpt)
                yield Frame(pixels, number, at, arrived, self._index, time.monotonic() - arrived)
            at += self._milliseconds() * _MILLISECOND

    def close(self) -> None:
        """Free the file."""
        self._image.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def picture_pixels(image: Image.Image, excerpt: Excerpt) -> Pixels:
    """A picture as RGB, made to fit into the size that was asked for."""
    if excerpt.size is not None and (size := fitted(image.size, excerpt.size)) != image.size:
        image = Image.fromarray(to_array(image)).resize(size, Image.Resampling.BICUBIC)
    return np.array(to_array(image))
