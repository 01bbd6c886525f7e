"""Pictures in a folder as the frames of a stream, in the order of their names."""

import time
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Self

from edgevision.core.errors import InputError
from edgevision.core.folder_search import files_below
from edgevision.data.datasets import numbered
from edgevision.imaging.images import read_image
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES
from edgevision.runtime.streams.animation import picture_pixels
from edgevision.runtime.streams.frame import Frame, StreamFacts
from edgevision.runtime.streams.frame_choice import FrameChoice
from edgevision.runtime.streams.source import Excerpt

RATE = Fraction(25)
"""Frames a second of pictures, which have no times."""


def pictures_in_order(folder: Path) -> list[Path]:
    """The pictures below ``folder``, 10 after 9; :class:`InputError` where there are none."""
    found = [path for path in files_below(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise InputError(f"{str(folder)!r} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(found, key=lambda path: numbered(str(path)))


class FrameFolder:
    """The pictures below a folder; 10 comes after 9 in their names. See :class:`.source.FrameSource`."""

    live = False

    def __init__(self, folder: Path, excerpt: Excerpt, *, index: int = 0) -> None:
        """Find the pictures; :class:`InputError` where there are none."""
        self.name = str(folder)
        self._excerpt, self._index = excerpt, index
        self._files = pictures_in_order(folder)
        self.facts = StreamFacts(
            rate=RATE, time_base=1 / RATE, frames=len(self._files), seconds=float(len(self._files) / RATE)
        )

    def frames(self) -> Generator[Frame, None, None]:
        """The pictures; :class:`.ImageError` at the first that cannot be read."""
        choice = FrameChoice(self._excerpt)
        for number, path in enumerate(self._files):
            at = number / RATE
            if choice.is_over(at):
                return
            if choice.takes(at):
                arrived = time.monotonic()
                pixels = picture_pixels(read_image(path), self._excerpt)
                yield Frame(pixels, number, at, arrived, self._index, time.monotonic() - arrived)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
