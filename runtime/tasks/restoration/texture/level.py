"""A picture with a hole at one size, and at half of it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.restoration.texture.windows import Array, Mask, window_mean


@dataclass(frozen=True, eq=False)
class Level:
    """What is known at one size.

    Attributes:
        picture: float32 (H, W, C) in 0..1, with the smooth fill in the hole.
        low: its low frequencies, in which the smooth fill is to be trusted.
        hole: bool (H, W), what is to be filled.
        sources: bool (H, W), what may be copied.
    """

    picture: Array
    low: Array
    hole: Mask
    sources: Mask

    @classmethod
    def of(cls, picture: Array, hole: Mask, sources: Mask) -> Self:
        return cls(picture, window_mean(window_mean(picture, 2), 2), hole, sources)

    def halved(self) -> Self:
        """A pixel belongs to the hole where any of four did, and may be copied where all four might."""
        height, width = self.hole.shape
        odd = [(0, height % 2), (0, width % 2)]
        picture = np.pad(self.picture, [*odd, (0, 0)], mode="edge")
        mean = (picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]) / np.float32(4)
        hole, sources = np.pad(self.hole, odd), np.pad(self.sources, odd)
        return self.of(
            mean,
            hole[::2, ::2] | hole[1::2, ::2] | hole[::2, 1::2] | hole[1::2, 1::2],
            sources[::2, ::2] & sources[1::2, ::2] & sources[::2, 1::2] & sources[1::2, 1::2],
        )

    def may_copy(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Mask:
        """Whether there are sources at these places, which may be outside."""
        height, width = self.hole.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        found: Mask = inside & self.sources[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return found

    def colours(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
        """The pixels (..., C) at these places, or the nearest to them inside."""
        height, width = self.hole.shape
        taken: Array = self.picture[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return taken
