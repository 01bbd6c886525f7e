"""The frames of a video file."""

import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Self

from edgevision.core.errors import InputError
from edgevision.runtime.streams.decoding import (
    facts_of,
    load_av,
    translated_video_errors,
    upright_pixels,
    video_stream,
)
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.streams.frame_choice import FrameChoice
from edgevision.runtime.streams.packet_decoder import Decoded, PacketDecoder
from edgevision.runtime.streams.source import Excerpt

_NETWORK_OFF = {"protocol_whitelist": "file"}
"""A playlist or a reference inside a file is no reason to fetch anything."""

_SHORTER, _SHORTER_SHARE = 0.25, 0.95
"""By how many seconds, and of which share, a file that does not count its frames may be shorter than it says."""

_NOTHING_ELSE = {"protocol_whitelist": "none"}
"""What came over a network may not name files of this machine either."""


class VideoFile:
    """A video that FFmpeg reads; see :class:`.source.FrameSource`."""

    live = False

    def __init__(self, file: Path | BytesIO, excerpt: Excerpt, *, index: int = 0, name: str | None = None) -> None:
        """Open ``file``, which is called ``name`` if it has none, and look at its first picture.

        Raises:
            InputError: it is no video, has no picture, or cannot be read.
            MissingExtraError: PyAV is not installed.
        """
        self.name = name or str(file)
        self._excerpt, self._index = excerpt, index
        av = load_av()
        with translated_video_errors(self.name):
            if isinstance(file, Path):
                self._container = av.open(self.name, options=_NETWORK_OFF)
            else:
                self._container = av.open(file, options=_NOTHING_ELSE)
        try:
            stream = video_stream(self._container, self.name)
            self._decoder = PacketDecoder(self._container, stream, self.name)
            self._decoded = self._decoder.pictures()
            first = next(self._decoded, None)
            if first is None:
                raise InputError(f"{self.name!r} has no frame that can be decoded")
            self._first = [first]
            sounds = self._container.streams.audio
            self.facts = facts_of(stream, first.picture, audio=self.name if sounds else None)
        except BaseException:
            self._container.close()
            raise

    def frames(self) -> Generator[Frame, None, None]:
        """The frames in the order in which they are shown.

        Raises:
            InputError: there are fewer than the file says, they end sooner, or what is damaged cannot be passed over.
        """
        choice, number = FrameChoice(self._excerpt), -1
        base, end = self.facts.time_base, Fraction(0)
        for number, (picture, arrived) in enumerate(self._pictures()):
            at = picture.pts * base if picture.pts is not None else Fraction(number) / (self.facts.rate or 25)
            end = at + (picture.duration or 0) * base
            if choice.is_over(at):
                return
            if choice.takes(at):
                pixels = upright_pixels(picture, self._excerpt, exact=True)
                yield Frame(pixels, number, at, arrived, self._index, time.monotonic() - arrived)
        announced = self.facts.frames
        if self._decoder.damaged or (announced is not None and number + 1 < announced):
            of = f" of {announced}" if announced is not None else ""
            raise InputError(f"{self.name!r} is damaged: {number + 1}{of} frames could be decoded, which were done")
        length = self.facts.seconds
        if announced is None and length is not None and end < min(length - _SHORTER, length * _SHORTER_SHARE):
            raise InputError(
                f"{self.name!r} is cut off: its {number + 1} frames, which were done, are {float(end):.1f} of"
                f" {length:.1f} s"
            )

    def _pictures(self) -> Iterator[Decoded]:
        while self._first:
            yield self._first.pop()
        yield from self._decoded

    def close(self) -> None:
        """Free the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
