"""Frames as pictures in a folder, numbered."""

from fractions import Fraction
from pathlib import Path

from edgevision.core.atomic_files import translated_write_errors
from edgevision.core.errors import OutputError
from edgevision.imaging.pictures import Picture
from edgevision.runtime.streams.frame import Pixels

_DIGITS = 6


class FrameWriter:
    """Writes ``000000.png`` and so on into a folder; see :class:`.FrameOutput`."""

    def __init__(self, folder: Path, *, force: bool) -> None:
        """Make the folder; :class:`OutputError` where it is none, or without ``force`` has frames already."""
        with translated_write_errors(folder / "frame"):
            folder.mkdir(parents=True, exist_ok=True)
            if not force and any(folder.glob("[0-9]" * _DIGITS + ".png")):
                raise OutputError(f"{str(folder)!r} holds frames already; --force overwrites them")
        self._folder, self._force, self._number = folder, force, 0

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Write the next file; see :class:`.FrameOutput`."""
        Picture(pixels).save(self._folder / f"{self._number:0{_DIGITS}d}.png", force=self._force)
        self._number += 1

    def close(self) -> None:
        """All is written."""
