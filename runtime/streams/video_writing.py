"""A video file from frames: times, size, colours and sound as in the video that they were made from."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.core.errors import DiskFullError, OutputError
from edgevision.core.printable import shortened
from edgevision.imaging.images import remark_once
from edgevision.runtime.streams.decoding import exact_interpolation, load_av
from edgevision.runtime.streams.frame import UNSAID_MATRIX, UNSAID_RANGE, Coding, Pixels, StreamFacts
from edgevision.runtime.streams.output import check_size
from edgevision.runtime.streams.reserved_file import ReservedFile

if TYPE_CHECKING:
    import av

_CODECS = {".webm": "libvpx-vp9", ".avi": "mpeg4"}
_USUAL_CODEC = "libx264"

_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "veryfast", "x265-params": "log-level=error"},
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "libsvtav1": {"crf": "24", "preset": "10"},
    "mpeg4": {"qscale": "2", "global_quality": "236", "flags": "+qscale"},
}
"""So that nothing is seen of the coding, and a small board keeps up."""

_NAMES = {"h264": "libx264", "hevc": "libx265", "h265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
"""What users call a codec, and FFmpeg's encoder of it."""

_USUAL_RATE = Fraction(25)
_CONSTANT_RATE = (".avi",)
"""Files that have a rate and no times."""

_FINE_BASE = Fraction(1, 90_000)
_FINEST = 1_000_000
"""Beyond so many parts of a second some files cannot say a time."""


class VideoWriter:
    """Writes ``path``, which can be played once it is closed, whatever came between. See :class:`.FrameOutput`."""

    def __init__(self, path: Path, facts: StreamFacts, *, codec: str | None, force: bool) -> None:
        """Look whether ``path`` can be written, in that ``codec``: h264, hevc, vp9, av1, ffv1 or FFmpeg's name.

        Raises:
            OutputError: it cannot, or there is no such codec.
        """
        check_writable(path, force=force)
        self._path, self._facts, self._force = path, facts, force
        suffix = path.suffix.lower()
        self._codec = _NAMES.get(codec or "", codec) or _CODECS.get(suffix, _USUAL_CODEC)
        self._constant = suffix in _CONSTANT_RATE
        self._rate = facts.rate or _USUAL_RATE
        base = facts.time_base if facts.time_base.denominator <= _FINEST else _FINE_BASE
        self._base = 1 / self._rate if self._constant else base
        av = load_av()
        try:
            av.Codec(self._codec, "w")
        except (ValueError, av.FFmpegError) as error:
            raise OutputError(
                f"--codec is one of {', '.join(sorted(_NAMES))}, ffv1, or an encoder of FFmpeg, not {codec!r}"
            ) from error
        self._opened = ExitStack()
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._container: Any = None
        self._file: ReservedFile | None = None
        self._stream: Any = None
        self._size = (0, 0)
        self._written, self._last = 0, -1
        self._sound: _Sound | None = None

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Encode the picture that is shown from ``time`` on; see :class:`.FrameOutput`."""
        try:
            if self._container is None:
                self._begin(pixels)
            self._encode(pixels, time)
        except (OSError, load_av().FFmpegError) as error:
            raise self._refused(error) from error
        if self._file is not None and self._file.is_full:
            raise DiskFullError(
                f"no space left for more of {str(self._path)!r}; its first {self._written} frames are kept, and can be"
                " played"
            )

    def _begin(self, pixels: Pixels) -> None:
        av, coding = load_av(), self._facts.coding or Coding()
        temporary = self._opened.enter_context(atomic_file(self._path, force=self._force))
        self._file = ReservedFile(temporary)
        self._opened.callback(self._file.close)
        container = self._container = av.open(self._file, "w")
        stream = container.add_stream(self._codec, rate=self._rate, options=dict(_OPTIONS.get(self._codec, {})))
        height, width = pixels.shape[:2]
        if coding.rotation % 180:
            height, width = width, height
        self._size = (width, height)
        stream.width, stream.height = width, height
        context = stream.codec_context
        stream.pix_fmt = _pixel_format(context.codec, coding.pixel_format, width, height)
        stream.time_base = context.time_base = self._base
        context.colorspace, context.color_range = coding.colorspace, coding.color_range
        context.color_primaries, context.color_trc = coding.primaries, coding.transfer
        if coding.rotation:
            stream.set_display_rotation(coding.rotation)
        self._stream = stream
        if self._facts.audio is not None:
            self._sound = _Sound.beside(container, self._facts.audio, self._path)

    def _encode(self, pixels: Pixels, time: Fraction) -> None:
        av, coding = load_av(), self._facts.coding or Coding()
        stored = np.ascontiguousarray(np.rot90(pixels, -(coding.rotation // 90))) if coding.rotation else pixels
        check_size(self._path, stored, self._size)
        # A codec takes each moment once: frames that lie closer than it can say follow one another.
        moment = self._written if self._constant else max(self._last + 1, round(time / self._base))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")
        frame = self._in_its_colours(frame, coding)
        frame.pts, frame.time_base = moment, self._base
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        self._written, self._last = self._written + 1, moment
        if self._sound is not None:
            self._sound.copy_until(self._container, time)

    def _in_its_colours(self, frame: "av.VideoFrame", coding: Coding) -> Any:
        matrix = {} if coding.colorspace == UNSAID_MATRIX else {"dst_colorspace": coding.colorspace}
        levels = {} if coding.color_range == UNSAID_RANGE else {"dst_color_range": coding.color_range}
        form = self._stream.pix_fmt
        return self._reformatter.reformat(frame, format=form, interpolation=exact_interpolation(), **matrix, **levels)

    def close(self) -> None:
        """Finish the file; without a frame there is none."""
        if self._container is None:
            return
        container, self._container = self._container, None
        file = self._file
        assert file is not None
        try:
            with self._opened:
                try:
                    # FFmpeg does not survive more frames where the beginning could not be written.
                    if file.failure is None:
                        for packet in self._stream.encode(None):
                            container.mux(packet)
                        if self._sound is not None:
                            self._sound.copy_until(container, None)
                finally:
                    container.close()
                    if self._sound is not None:
                        self._sound.close()
                if file.failure is not None:
                    raise file.failure
        except (OSError, load_av().FFmpegError) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> Exception:
        if self._file is not None and self._file.failure is not None:
            error = self._file.failure
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DiskFullError(f"no space left to write {str(self._path)!r}; nothing of it was kept")
        reason = shortened(str(getattr(error, "strerror", None) or error))
        return OutputError(f"{str(self._path)!r} cannot be written with {self._codec}: {reason}")


def _pixel_format(codec: "av.Codec", wanted: str, width: int, height: int) -> str:
    """How frames are stored: as in the source where the codec can, else with half the colours where sides are even."""
    known = [form.name for form in codec.video_formats or ()]
    eight_bits = {"yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "rgb24", "bgr0", "gray"}
    odd = width % 2 or height % 2
    for form in (wanted, "yuv420p", "yuv444p", "bgr0", *known):
        if form in known and form in eight_bits and not (odd and "42" in form):
            return form
    raise OutputError(f"{codec.name} does not take frames of {width}x{height}; choose even sides with --resize")


class _Sound:
    """The sound of a file, copied as it is."""

    def __init__(self, source: Any, stream: Any, copy: Any) -> None:
        self._source, self._copy = source, copy
        self._packets: Iterator[Any] = source.demux(stream)
        self._next: Any = next(self._packets, None)

    @classmethod
    def beside(cls, container: Any, path: str, target: Path) -> "_Sound | None":
        """The sound of ``path`` as a further stream of ``container``; a remark where that cannot hold it."""
        av = load_av()
        source = av.open(path)
        stream = source.streams.audio[0]
        try:
            copy = container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError):
            source.close()
            name = stream.codec_context.name if stream.codec_context is not None else "such"
            remark_once(f"the sound of {path!r} is left out: {target.suffix} files hold no {name}")
            return None
        return cls(source, stream, copy)

    def copy_until(self, container: Any, time: Fraction | None) -> None:
        """Copy what is heard before ``time``; all that is left without."""
        while self._next is not None and (time is None or _moment(self._next) <= time):
            packet, self._next = self._next, next(self._packets, None)
            if packet.dts is not None:  # the last one is empty, and says that it was
                packet.stream = self._copy
                container.mux(packet)

    def close(self) -> None:
        """Free the file."""
        self._source.close()


def _moment(packet: Any) -> Fraction:
    return Fraction((packet.dts or 0) * packet.time_base)
