"""Real pictures to calibrate with and to judge on: which ones, and how they are held."""

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.regular_files import real_path
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.runtime.files.batch import each_done, failure_message

FEWEST = 2
"""With fewer pictures than this to hold back, a model is judged on what it was calibrated with."""
_MOST_BYTES = 1 << 30
# Of a folder that calibrates and judges, so many may calibrate where there are as many, and half of more; how many do
# is found out while calibrating.
_FEW = 16


class Pictures:
    """Pictures in memory, with the names and classes they have in ``data``, the middle cut out where they are large.

    Attributes:
        folder: where they are from.
        failures: what could not be read, and why.
    """

    def __init__(
        self,
        data: Any,
        indices: Iterable[int],
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
        return self.share(range(start, len(self), step))

    def but_every(self, step: int, start: int) -> "Pictures":
        """The others."""
        return self.share(sorted(set(range(len(self))) - set(range(start, len(self), step))))

    def share(self, places: Sequence[int]) -> "Pictures":
        """Those at ``places``."""
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
    """Clips in memory as :meth:`.Task.clip_sampler` makes them; of more than fit into 1 GB the first ones."""

    def __init__(self, data: Any, indices: Iterable[int], sample: Callable[[Any, str], NDArray[np.uint8]]) -> None:
        """Read those of ``data``."""
        self._sample, self._bytes = sample, 0
        super().__init__(data, self._while_they_fit(indices))

    def frames(self, index: int) -> NDArray[np.uint8]:
        """One of them, uint8 (T, height, width, channels)."""
        clip: NDArray[np.uint8] = self._images[index]
        return clip

    def _decoded(self, data: Any, index: int) -> Any:
        clip = self._sample(data.frames(index), data.names[index])
        self._bytes += clip.nbytes
        return clip

    def _while_they_fit(self, indices: Iterable[int]) -> Iterator[int]:
        for index in indices:
            if self._bytes > _MOST_BYTES:
                return
            yield index


@dataclass(frozen=True)
class DividedPictures:
    """Which pictures of ``folder`` may calibrate, in no order, and which of ``judged`` are held back to judge on.

    Of one folder for both, what does not calibrate judges as well: ``most`` may calibrate, ``wanted`` may judge.
    """

    folder: Any
    seen: Sequence[int]
    judged: Any
    held: Sequence[int]
    most: int
    wanted: int

    @property
    def shared(self) -> bool:
        """Whether one folder serves for both."""
        return self.folder is self.judged

    @property
    def alike(self) -> bool:
        """Whether there are so few that some serve for both."""
        return self.shared and bool(set(self.seen) & set(self.held))

    def judged_without(self, calibrated: Collection[int]) -> list[int]:
        """Which pictures of ``judged`` are judged on where those of ``folder`` have calibrated: spread over all."""
        held = list(self.held)
        if self.shared and not self.alike:
            rest = sorted(set(self.seen) - set(calibrated))
            held += spread(rest, max(0, self.wanted - len(held)))
        return spread(sorted(held), self.wanted)


def divide(
    calibration: Path, data: Path | None, wanted: int, open_data: Callable[..., Any] = ImageFolder
) -> DividedPictures:
    """Which pictures may calibrate, and which are held back to judge ``wanted`` at most; ``open_data`` opens them.

    Where none are wanted, as something else is judged on, all may calibrate.
    """
    if data is not None and real_path(data) == real_path(calibration):
        # Given twice they are divided all the same.
        data = None
    folder = open_data(calibration, ("train", "val", "test"))
    every = range(len(folder))
    if not wanted:
        return DividedPictures(folder, every, folder, (), len(every), 0)
    if data is not None or len(folder.splits) > 1:
        judged = open_data(data) if data is not None else folder.another_split(("test", "val"))
        return DividedPictures(folder, every, judged, range(len(judged)), len(every), wanted)
    held: Sequence[int] = [index for index in every if is_held_out(folder.names[index])]
    if len(held) < min(wanted, 8):
        held = every[::5] if len(every) >= 5 * FEWEST else every
    seen = sorted(set(every) - set(held)) or held
    # Few are enough to find ranges, and what is lost is the surer the more it is judged on.
    return DividedPictures(folder, seen, folder, held, max(_FEW, -(-len(every) // 2)), wanted)


def spread(indices: Sequence[int], count: int) -> list[int]:
    """``count`` of them from the first to the last."""
    return [indices[int(i)] for i in np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int))]


def _middle(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    left, top = max(0, (width - side) // 2), max(0, (height - side) // 2)
    return image.crop((left, top, min(width, left + side), min(height, top + side)))
