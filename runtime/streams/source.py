"""Where frames come from: what all sources are like, and which of their frames are taken."""

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Protocol, Self

from edgevision.runtime.streams.frame import Frame, StreamFacts


class FrameSource(Protocol):
    """Frames in order, once; a context manager, and leaving it frees the file or the camera.

    Attributes:
        name: as the user wrote it.
        live: whether it goes on by itself; then the newest frame is worth more than the oldest that waits.
        facts: what it says of its frames.
    """

    name: str
    live: bool
    facts: StreamFacts

    def frames(self) -> Generator[Frame, None, None]:
        """All of them, as they come.

        Raises:
            InputError: the stream is damaged, or gone and does not come back; what came before is good.
        """
        ...

    def close(self) -> None:
        """Free what it holds; another thread that waits for a frame is let go."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Which frames of a source are taken, and how large.

    Attributes:
        start, end: in seconds of the source's clock; the frame at ``end`` is the first that is not taken.
        every: of so many frames one.
        rate: at most so many frames a second.
        size: (width, height) that a frame is made to fit into, its proportions kept; never enlarged.
    """

    start: Fraction = Fraction(0)
    end: Fraction | None = None
    every: int = 1
    rate: Fraction | None = None
    size: tuple[int, int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no frame is left out."""
        return self.start == 0 and self.end is None and self.every == 1 and self.rate is None

    def frames_of(self, facts: StreamFacts) -> int | None:
        """About how many frames are taken of a source with these ``facts``, where that can be told."""
        if self.is_whole or facts.frames is None or not facts.rate:
            return facts.frames if self.is_whole else None
        seconds = min(self.end or facts.frames / facts.rate, facts.frames / facts.rate) - self.start
        rate = facts.rate / self.every
        return max(0, ceil(seconds * (rate if self.rate is None else min(rate, self.rate))))
