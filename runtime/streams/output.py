"""Where the frames that were made go."""

from fractions import Fraction
from typing import Protocol

from edgevision.runtime.streams.frame import Pixels


class FrameOutput(Protocol):
    """Takes pictures in order."""

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Take the picture that is shown from ``time`` on, in seconds.

        Raises:
            OutputError: it cannot be stored there.
            DiskFullError: no space is left.
        """
        ...

    def close(self) -> None:
        """Finish, so that what was taken can be played."""
        ...
