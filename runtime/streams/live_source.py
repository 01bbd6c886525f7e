"""Cameras and network streams: what goes on by itself, breaks off, and comes back."""

import sys
import time
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Any, Self

from edgevision.core.errors import DeviceError, EdgevisionError, InputError
from edgevision.core.printable import one_line
from edgevision.runtime.streams.addresses import NETWORK_SCHEMES, PATTERN_SCHEME
from edgevision.runtime.streams.board_camera import BoardCamera
from edgevision.runtime.streams.camera_modes import mode_options
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

if TYPE_CHECKING:
    import av

_OPEN_SECONDS, _FRAME_SECONDS = 10.0, 5.0
"""For how long a stream is waited for at the beginning, and for each frame behind."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
"""Seconds before the second and later attempts to open a stream again; each is twice the one before."""

_TIMELESS = ("mjpeg", "mpjpeg")
"""Formats of one picture behind the other, to which FFmpeg gives made-up times."""

Remark = Callable[[str], None]


class LiveSource:
    """A camera, or a stream of the network; see :class:`.source.FrameSource`.

    Attributes:
        gone: for how many seconds it was away, altogether.
        breaks: how often.
    """

    live = True

    def __init__(
        self, name: str, excerpt: Excerpt, *, index: int = 0, retry: float = 0, remark: Remark | None = None
    ) -> None:
        """Open ``name`` and wait for its first frame.

        Args:
            retry: for how many seconds it is tried again when it breaks off.
            remark: is told of breaks.

        Raises:
            InputError: nothing answers there, or what does has no pictures.
            DeviceError: the camera is used by another program, or what reads it is missing.
        """
        self.name, self._excerpt, self._index, self._retry = name, excerpt, index, retry
        self._remark = remark or (lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
        self._closed = Event()
        self.gone, self.breaks = 0.0, 0
        self._opened = _Opened(name, excerpt)
        self._read = False
        self.facts = self._opened.facts

    def frames(self) -> Generator[Frame, None, None]:
        """What comes, until it is closed, or breaks off and does not come back in time.

        Times go on over a break, by the clock. Raises as :meth:`__init__`.
        """
        self._read = True
        choice, number = FrameChoice(self._excerpt), -1
        began = time.monotonic()
        begin = offset = Fraction(0)
        at = Fraction(0)
        while not self._closed.is_set():
            first: Fraction | None = None
            reason = "it ended"
            try:
                for picture, arrived in self._opened.pictures():
                    if self._closed.is_set():
                        return
                    number += 1
                    clock = Fraction(round(1e6 * (time.monotonic() - began)), 1_000_000)
                    own = self._opened.time_of(picture)
                    if own is None:
                        own = clock
                    if first is None:
                        first, offset = own, begin
                    at = own - first + offset
                    if choice.is_over(at):
                        return
                    if choice.takes(at):
                        pixels = upright_pixels(picture, self._excerpt, exact=False)
                        yield Frame(pixels, number, at, arrived, self._index, time.monotonic() - arrived)
                if self.name.startswith(PATTERN_SCHEME):
                    return  # what is made up breaks off never: it was to end there
            except EdgevisionError as error:
                reason = str(error)
            finally:
                self._opened.close()
            if self._closed.is_set() or not self._again(reason):
                return
            begin = Fraction(round(1e6 * (time.monotonic() - began)), 1_000_000)

    def _again(self, reason: str) -> bool:
        """Wait for a stream that broke off; whether it is there again before it was closed."""
        if self._retry <= 0:
            raise InputError(f"{self.name!r} broke off: {reason}; --retry 60 waits for so many seconds")
        self.breaks += 1
        broke, pause = time.monotonic(), _FIRST_PAUSE
        self._remark(f"{one_line(self.name)} broke off ({one_line(reason)}); trying again for {self._retry:g} s")
        while not self._closed.wait(min(pause, max(0.0, broke + self._retry - time.monotonic()))):
            try:
                self._opened = _Opened(self.name, self._excerpt)
            except (InputError, DeviceError) as error:
                reason = str(error)
            else:
                away = time.monotonic() - broke
                self.gone += away
                self._remark(f"{one_line(self.name)} is back after {away:.1f} s")
                return True
            if time.monotonic() - broke >= self._retry:
                raise InputError(f"{self.name!r} is gone for {self._retry:g} s, which is --retry: {reason}")
            pause = min(2 * pause, _LONGEST_PAUSE)
        return False

    def close(self) -> None:
        """Let the camera go; who waits for a frame is let go at the next, or when none comes in time."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        # FFmpeg does not survive that one thread closes what another reads, who closes it anyway.
        if self._read:
            self._opened.hang_up()
        else:
            self._opened.close()


class _Opened:
    """One connection, open."""

    def __init__(self, name: str, excerpt: Excerpt) -> None:
        self._name, self._excerpt = name, excerpt
        self._camera = BoardCamera(name, excerpt) if name.startswith("csi:") else None
        self._container: Any = None
        try:
            with translated_video_errors(name):
                self._container = self._open_container()
            stream = video_stream(self._container, name, live=True)
            decoder = PacketDecoder(self._container, stream, name, live=True)
            self._decoded = decoder.pictures(patience=_FRAME_SECONDS)
            first = next(self._decoded, None)
            if first is None:
                raise InputError(f"{name!r} gives no frames")
            self._first = [first]
            self.facts = facts_of(stream, first.picture, audio=None)
        except BaseException:
            self.close()
            raise

    def _open_container(self) -> Any:
        av, name = load_av(), self._name
        timeout = (_OPEN_SECONDS, _FRAME_SECONDS)
        if self._camera is not None:
            return av.open(self._camera.pipe, format=self._camera.format, timeout=timeout)
        if name.startswith(PATTERN_SCHEME):
            return av.open(name.removeprefix(PATTERN_SCHEME), format="lavfi")
        if name.startswith(NETWORK_SCHEMES):
            # What waits in buffers is old.
            options = {"fflags": "nobuffer", "flags": "low_delay"}
            options |= {"rtsp_transport": "tcp"} if name.startswith("rtsp") else {}
            return av.open(name, options=options, timeout=timeout)
        form, device = camera_device(name)
        options = mode_options(device, self._excerpt) if form == "v4l2" else {}
        return av.open(device, format=form, options=options, timeout=timeout)

    def time_of(self, picture: "av.VideoFrame") -> Fraction | None:
        """When a picture was taken, by the stream; ``None`` where it does not say."""
        timeless = self._container.format.name in _TIMELESS
        return None if timeless or picture.pts is None or not picture.time_base else picture.pts * picture.time_base

    def pictures(self) -> Iterator[Decoded]:
        """The first one, which was waited for, and what comes behind."""
        while self._first:
            yield self._first.pop()
        yield from self._decoded

    def close(self) -> None:
        """End the connection."""
        if self._container is not None:
            self._container.close()
        self.hang_up()
        if self._camera is not None:
            self._camera.pipe.close()

    def hang_up(self) -> None:
        """End the program that a camera is read by, from any thread."""
        if self._camera is not None:
            self._camera.close()


def camera_device(name: str, platform: str = sys.platform) -> tuple[str, str]:
    """FFmpeg's format and device for ``camera:0`` or ``/dev/video0``.

    Raises:
        InputError: behind ``camera:`` stands no number.
    """
    if not name.startswith("camera:"):
        return "v4l2", name
    number = name.removeprefix("camera:")
    if not number.isdecimal():
        raise InputError(f"a camera is named by its number, as camera:0, not {name!r}")
    if platform == "darwin":
        return "avfoundation", number
    if platform == "win32":
        return "dshow", f"video={number}"
    return "v4l2", f"/dev/video{number}"
