"""Where the frames that were made go."""

from fractions import Fraction
from pathlib import Path
from typing import Protocol

from edgevision.core.errors import OutputError
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


def check_size(path: Path, pixels: Pixels, size: tuple[int, ...]) -> None:
    """Raise :class:`OutputError` where a frame is not of the ``size`` (width, height) of those before."""
    width, height = pixels.shape[1::-1]
    if (width, height) != size:
        raise OutputError(
            f"{str(path)!r} holds frames of {size[0]}x{size[1]}, and one of {width}x{height} follows; -o frames/"
            " takes pictures of any size"
        )
