"""Real pictures to calibrate with and to judge on: which ones, and how they are held."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.core.regular_files import real_path
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.runtime.files.batch import each_done, failure_message

FEWEST = 2
"""With fewer pictures than this to hold back, a model is judged on what it was calibrated with."""
# So many pictures are calibrated with where there are more: ranges settle on 64 at the earliest.
_ENOUGH = 64


class Pictures:
    """Pictures in memory, with the names and classes they have in ``data``, the middle cut out where they are large.

    Attributes:
        folder: where they are from.
        failures: what could not be read, and why.
    """

    def __init__(
        self,
        data: Any,
        indices: Sequence[int],
        side: int | None = None,
        check: Callable[[Any], object] = lambda image: None,
    ) -> None:
        """Read those of ``data``; one for which ``check`` raises is a failure too."""
        self.folder = data
        self.failures: dict[str, str] = {}

        def read(index: int) -> Any:
            image = self._decoded(data, index)
            check(image)
            return image if side is None else _middle(image, side)

        def failed(index: int, error: Exception) -> None:
            self.failures[data.names[index]] = failure_message(data.names[index], error)

        done = list(each_done(indices, read, failed))
        kept = [index for index, _ in done]
        self._images = [image for _, image in done]
        self.names = tuple(data.names[index] for index in kept)
        self.class_names = data.class_names
        self.labels = data.labels[kept]

    def __len__(self) -> int:
        return len(self._images)

    def every(self, step: int, start: int) -> "Pictures":
        """Each ``step``-th of them, from ``start`` on."""
        return self._share(range(start, len(self), step))

    def but_every(self, step: int, start: int) -> "Pictures":
        """The others."""
        return self._share(sorted(set(range(len(self))) - set(range(start, len(self), step))))

    def _share(self, places: Sequence[int]) -> "Pictures":
        share = copy.copy(self)
        share._images = [self._images[place] for place in places]
        share.names = tuple(self.names[place] for place in places)
        share.labels = self.labels[list(places)]
        return share

    def image(self, index: int) -> Image.Image:
        """One of them."""
        return self._images[index]  # type: ignore[no-any-return]

    def _decoded(self, data: Any, index: int) -> Any:
        return data.image(index)


class Clips(Pictures):
    """Clips in memory, of which nothing is cut."""

    def frames(self, index: int) -> Iterator[NDArray[np.uint8]]:
        """The frames of one of them."""
        return iter(self._images[index])

    def _decoded(self, data: Any, index: int) -> Any:
        frames = list(data.frames(index))
        if not frames:
            raise ImageError(f"{data.names[index]!r} has no frames")
        return frames


@dataclass(frozen=True)
class DividedPictures:
    """Which pictures of ``folder`` calibrate, in no order, and which of ``judged`` are judged on."""

    folder: Any
    seen: Sequence[int]
    judged: Any
    held: Sequence[int]

    @property
    def alike(self) -> bool:
        """Whether there are so few that some serve for both."""
        return self.folder is self.judged and bool(set(self.seen) & set(self.held))


def divide(
    calibration: Path, data: Path | None, wanted: int, open_data: Callable[..., Any] = ImageFolder
) -> DividedPictures:
    """Which pictures may calibrate, and which are judged on, ``wanted`` at most; ``open_data`` opens them.

    Where none are wanted, as something else is judged on, all may calibrate.
    """
    if data is not None and real_path(data) == real_path(calibration):
        # Given twice they are divided all the same.
        data = None
    folder = open_data(calibration, ("train", "val", "test"))
    every = range(len(folder))
    if not wanted:
        return DividedPictures(folder, every, folder, ())
    if data is not None or len(folder.splits) > 1:
        judged = open_data(data) if data is not None else folder.another_split(("test", "val"))
        return DividedPictures(folder, every, judged, _spread(range(len(judged)), wanted))
    held: Sequence[int] = [index for index in every if is_held_out(folder.names[index])]
    if len(held) < min(wanted, 8):
        held = every[::5] if len(every) >= 5 * FEWEST else every
    seen = sorted(set(every) - set(held)) or held
    # Few are enough to find ranges, and what is lost is the surer the more it is judged on: of a small folder as many
    # as calibrate.
    spare = min(wanted - len(held), len(seen) - max(_ENOUGH, len(every) // 2))
    if spare > 0:
        more = set(_spread(seen, spare))
        held, seen = sorted({*held, *more}), [index for index in seen if index not in more]
    return DividedPictures(folder, seen, folder, _spread(held, wanted))


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """``count`` of them from the first to the last."""
    return [indices[int(i)] for i in np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int))]


def _middle(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    left, top = max(0, (width - side) // 2), max(0, (height - side) // 2)
    return image.crop((left, top, min(width, left + side), min(height, top + side)))
