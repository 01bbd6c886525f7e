"""Which of a source's frames are taken."""

from fractions import Fraction

from edgevision.runtime.streams.source import Excerpt


class FrameChoice:
    """Asked of every frame in order whether it is taken; between two that are, so much time lies as was asked for."""

    def __init__(self, excerpt: Excerpt) -> None:
        self._excerpt = excerpt
        self._seen = 0
        self._next: Fraction | None = None

    def takes(self, time: Fraction) -> bool:
        """Whether the frame at ``time``, in seconds, is taken."""
        excerpt = self._excerpt
        if time < excerpt.start:
            return False
        number, self._seen = self._seen, self._seen + 1
        if number % excerpt.every:
            return False
        if excerpt.rate is None:
            return True
        if self._next is not None and time < self._next:
            return False
        # From the time at which it was due: else a rate that is no divisor of the source's would always be missed.
        late = self._next is None or time - self._next > 1 / excerpt.rate
        self._next = (time if late or self._next is None else self._next) + 1 / excerpt.rate
        return True

    def is_over(self, time: Fraction) -> bool:
        """Whether nothing from ``time`` on is taken."""
        return self._excerpt.end is not None and time >= self._excerpt.end
