"""The sizes and rates that a USB camera offers, as ``v4l2-ctl`` lists them, and which of them is taken."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgevision.runtime.streams.source import Excerpt

_TOOL = "v4l2-ctl"
_SECONDS = 5.0

_FORMATS = {
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "YU12": "yuv420p",
    "NV12": "nv12",
    "GREY": "gray",
    "RGB3": "rgb24",
    "BGR3": "bgr24",
    "MJPG": "mjpeg",
    "JPEG": "mjpeg",
}
"""V4L2's name of how a frame is stored, and FFmpeg's; raw ones first, which need no decoding."""

_USUAL_RATE = Fraction(25)
"""What a mode should reach where nobody asked for a rate."""


@dataclass(frozen=True)
class CameraMode:
    """One line of what a camera offers.

    Attributes:
        format: V4L2's four letters.
        least, most: (width, height); equal but for a camera that scales.
        step: of both sides between them.
        rate: frames a second at most; ``None`` where it is not listed.
    """

    format: str
    least: tuple[int, int]
    most: tuple[int, int]
    step: tuple[int, int] = (1, 1)
    rate: Fraction | None = None

    def size_for(self, wanted: tuple[int, int]) -> tuple[int, int]:
        """The size of this mode that is nearest to the one that is ``wanted``, from above where it can be."""
        width, height = (
            min(high, max(low, low + -(-(side - low) // step) * step))
            for side, low, high, step in zip(wanted, self.least, self.most, self.step, strict=True)
        )
        return width, height


def parse_modes(text: str) -> list[CameraMode]:
    """The modes in what ``v4l2-ctl --list-formats-ext`` printed, also an older one; of each size the fastest."""
    modes: list[CameraMode] = []
    form, sides = "", r"(\d+)x(\d+)"
    for line in text.splitlines():
        if found := re.search(r"(?:\[\d+\]|Pixel Format)\s*:\s*'(.{4})'", line):
            form = found[1]
        elif found := re.search(rf"Size: Discrete {sides}", line):
            size = int(found[1]), int(found[2])
            modes.append(CameraMode(form, size, size))
        elif found := re.search(rf"Size: Stepwise {sides} - {sides} with step (\d+)/(\d+)", line):
            a, b, c, d, e, f = map(int, found.groups())
            modes.append(CameraMode(form, (a, b), (c, d), (max(1, e), max(1, f))))
        elif "Interval:" in line and modes and (rates := re.findall(r"(\d+(?:\.\d+)?)(?=-| fps)", line)):
            last = modes[-1]
            fastest = max(filter(None, (last.rate, *map(Fraction, rates))))
            modes[-1] = CameraMode(last.format, last.least, last.most, last.step, fastest)
    return modes


def choose_mode(modes: Sequence[CameraMode], excerpt: Excerpt) -> tuple[CameraMode, tuple[int, int]] | None:
    """The mode for what is asked for and its size; ``None`` where nothing is asked for, or nothing can be read.

    Of those that are as fast as is asked for, else the fastest, the smallest that covers the size; else the largest.
    """
    known = [mode for mode in modes if mode.format in _FORMATS]
    if not known or (excerpt.size is None and excerpt.rate is None):
        return None
    # A camera is not to see less, and needs not to see more, than is asked for; without it, what most look at.
    wanted = excerpt.size or (640, 480)
    rate = excerpt.rate or _USUAL_RATE
    order = list(_FORMATS)

    def rank(mode: CameraMode) -> tuple[bool, Fraction, bool, int, int]:
        speed = mode.rate if mode.rate is not None else rate
        width, height = mode.size_for(wanted)
        covers = width >= wanted[0] and height >= wanted[1]
        area = width * height
        slow = speed < rate * Fraction(99, 100)  # 29.97 is meant by 30
        return slow, -speed if slow else Fraction(0), not covers, area if covers else -area, order.index(mode.format)

    best = min(known, key=rank)
    return best, best.size_for(wanted)


def mode_options(device: str, excerpt: Excerpt) -> dict[str, str]:
    """What FFmpeg is told for ``device``, as ``/dev/video0``; nothing where its modes are not known."""
    if (excerpt.size is None and excerpt.rate is None) or shutil.which(_TOOL) is None:
        return {}
    command = [_TOOL, "--device", device, "--list-formats-ext"]
    try:
        listed = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    chosen = choose_mode(parse_modes(listed.stdout), excerpt)
    if chosen is None:
        return {}
    mode, (width, height) = chosen
    options = {"input_format": _FORMATS[mode.format], "video_size": f"{width}x{height}"}
    return options if mode.rate is None else options | {"framerate": str(float(mode.rate))}
