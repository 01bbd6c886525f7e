"""What opens sources and outputs by their names; only what is needed is imported."""

from io import BytesIO
from pathlib import Path

from edgevision.core.errors import InputError, OutputError
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES
from edgevision.runtime.streams.addresses import ANIMATION_SUFFIXES, SERVED, VIDEO_SUFFIXES, is_live
from edgevision.runtime.streams.frame import StreamFacts
from edgevision.runtime.streams.output import FrameOutput
from edgevision.runtime.streams.source import Excerpt, FrameSource


def open_source(name: str, excerpt: Excerpt, *, index: int = 0, retry: float = 0) -> FrameSource:
    """Open what ``name`` stands for: a live source, a folder of pictures, an animation or a video.

    Args:
        index: which of several sources it is, for its frames.
        retry: for how many seconds a live source that broke off is tried again; 0 for not at all.

    Raises:
        InputError: it is not there, is a single picture, or holds no frames.
        DeviceError: a camera is used by another program, or what reads it is missing.
        MissingExtraError: PyAV is not installed, and this needs it.
    """
    if is_live(name):
        from edgevision.runtime.streams.live_source import LiveSource

        return LiveSource(name, excerpt, index=index, retry=retry)
    path = Path(name)
    if path.is_dir():
        from edgevision.runtime.streams.frame_folder import FrameFolder

        return FrameFolder(path, excerpt, index=index)
    if not path.exists():
        raise InputError(f"{name!r} does not exist; name a video, a folder of frames, or a camera as camera:0")
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        from edgevision.runtime.streams.animation import Animation

        return Animation(path, excerpt, index=index)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{name!r} is one picture, not frames in order; name a video, or the folder of its frames")
    from edgevision.runtime.streams.video_file import VideoFile

    return VideoFile(path, excerpt, index=index)


def open_encoded(content: bytes, name: str) -> FrameSource:
    """Open the bytes of an animation or a video, which can refer to no file or address.

    Raises:
        InputError: it is neither, or holds no frames; ``name`` is what it is called then.
        MissingExtraError: it is a video, and PyAV is not installed.
    """
    if content.startswith(b"GIF8") or (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        from edgevision.runtime.streams.animation import Animation

        return Animation(BytesIO(content), Excerpt(), name=name)
    from edgevision.runtime.streams.video_file import VideoFile

    return VideoFile(BytesIO(content), Excerpt(), name=name)


def open_output(name: str, facts: StreamFacts, *, codec: str | None, force: bool) -> FrameOutput:
    """Open what ``name`` stands for: a video, an animation, an address to serve at, or a folder of frames.

    Raises:
        OutputError: it exists and ``force`` is false, its folder does not, or the name is none of these.
    """
    path = Path(name)
    suffix = path.suffix.lower()
    if name.startswith(SERVED):
        from edgevision.runtime.streams.mjpeg_server import MjpegServer

        return MjpegServer(name)
    if suffix in VIDEO_SUFFIXES:
        from edgevision.runtime.streams.video_writing import VideoWriter

        return VideoWriter(path, facts, codec=codec, force=force)
    if codec is not None:
        raise OutputError(f"--codec is for videos ({', '.join(sorted(VIDEO_SUFFIXES))}), not for {name!r}")
    if suffix in ANIMATION_SUFFIXES:
        from edgevision.runtime.streams.animation_writing import AnimationWriter

        return AnimationWriter(path, force=force)
    if suffix:
        raise OutputError(
            f"{name!r} is no name for many frames: a video ({', '.join(sorted(VIDEO_SUFFIXES))}), .gif, .webp, a"
            " folder/ or http://127.0.0.1:PORT"
        )
    from edgevision.runtime.streams.frame_writing import FrameWriter

    return FrameWriter(path, force=force)
