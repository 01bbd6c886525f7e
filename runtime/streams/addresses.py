"""Which words on the command line name a stream, by their looks; nothing is opened or imported for it."""

import os
from pathlib import Path

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm"})
ANIMATION_SUFFIXES = frozenset({".gif", ".webp"})
"""Files of one picture or several; of several they are a stream where an output for one is named."""

NETWORK_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")
CAMERA_SCHEMES = ("camera:", "csi:", "/dev/video")
PATTERN_SCHEME = "lavfi:"
"""FFmpeg's made-up sources, as ``lavfi:testsrc=size=320x240:rate=25``: a camera for where there is none."""

SERVED = "http://"
"""How an output begins that is served to browsers."""


def is_live(name: str) -> bool:
    """Whether a source goes on by itself, so that what is not taken in time is gone."""
    return name.startswith((*NETWORK_SCHEMES, *CAMERA_SCHEMES, PATTERN_SCHEME))


def is_stream(name: str, output: str | None) -> bool:
    """Whether an input is frames in order: a live source, a video, or what ``output`` makes a video of."""
    if is_live(name) or Path(name).suffix.lower() in VIDEO_SUFFIXES:
        return True
    to_stream = output is not None and is_stream_output(output)
    return to_stream and (os.path.isdir(name) or Path(name).suffix.lower() in ANIMATION_SUFFIXES)  # noqa: PTH112


def is_stream_output(output: str) -> bool:
    """Whether an output holds many frames in order: a video, an animation, or an address to serve them at."""
    return output.startswith(SERVED) or Path(output).suffix.lower() in VIDEO_SUFFIXES | {".gif"}
