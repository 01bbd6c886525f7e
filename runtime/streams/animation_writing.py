"""Frames as a .gif or .webp."""

import io
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image

from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.runtime.streams.frame import Pixels
from edgevision.runtime.streams.output import check_size

_LEAST_MILLISECONDS = 20
"""What is shown for less time, browsers show for a tenth of a second."""

_LAST_MILLISECONDS = 40


class AnimationWriter:
    """Collects frames in a temporary folder, as Pillow wants all of them at once; see :class:`.FrameOutput`."""

    def __init__(self, path: Path, *, force: bool) -> None:
        """Look whether ``path`` can be written; :class:`OutputError` where it cannot."""
        check_writable(path, force=force)
        self._path, self._force = path, force
        self._folder = tempfile.TemporaryDirectory()
        self._times: list[Fraction] = []
        self._size: tuple[int, ...] = ()

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Keep the frame; see :class:`.FrameOutput`."""
        self._size = self._size or pixels.shape[1::-1]
        check_size(self._path, pixels, self._size)
        Image.fromarray(pixels).save(self._file(len(self._times)), compress_level=1)
        self._times.append(time)

    def _file(self, number: int) -> Path:
        return Path(self._folder.name) / f"{number}.png"

    def _frames(self) -> Iterator[Image.Image]:
        for number in range(len(self._times)):
            with Image.open(self._file(number)) as image:
                image.load()
                yield image

    def close(self) -> None:
        """Write the file; without a frame there is none."""
        try:
            if not self._times:
                return
            frames = self._frames()
            first, content = next(frames), io.BytesIO()
            kind = self._path.suffix[1:].upper()
            kept: dict[str, object] = {"lossless": True, "quality": 0, "method": 0} if kind == "WEBP" else {}
            first.save(
                content, kind, save_all=True, append_images=frames, duration=self._milliseconds(), loop=0, **kept
            )
            with atomic_file(self._path, force=self._force) as temporary:
                temporary.write_bytes(content.getbuffer())
        finally:
            self._folder.cleanup()

    def _milliseconds(self) -> list[int]:
        ends = [round(1000 * (time - self._times[0])) for time in self._times]
        shown = [max(_LEAST_MILLISECONDS, after - before) for before, after in pairwise(ends)]
        return [*shown, shown[-1] if shown else _LAST_MILLISECONDS]
