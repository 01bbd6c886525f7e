"""The ribbon cameras of a Raspberry Pi and a Jetson, which only their makers' own programs read."""

import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from typing import IO

from edgevision.core.errors import DeviceError, InputError
from edgevision.runtime.streams.source import Excerpt

WHOLE = Excerpt()

_RASPBERRY_PI = ("rpicam-vid", "libcamera-vid")
"""The same program under its new and its old name."""

_JETSON = "gst-launch-1.0"


def camera_command(
    number: int, excerpt: Excerpt = WHOLE, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """The command that writes JPEG frames of a ribbon camera to standard output, of the size that is asked for.

    Raises:
        DeviceError: there is no program that could.
    """
    for program in _RASPBERRY_PI:
        if which(program):
            options = ["--camera", str(number), "--timeout", "0", "--nopreview", "--codec", "mjpeg"]
            if excerpt.size is not None:
                options += ["--width", str(excerpt.size[0]), "--height", str(excerpt.size[1])]
            if excerpt.rate is not None:
                options += ["--framerate", f"{float(excerpt.rate):g}"]
            return [program, *options, "--output", "-"]
    if which(_JETSON):
        # What the sensor gives is in the GPU's memory, and what nvvidconv scales is not.
        rate = [] if excerpt.rate is None else [f"video/x-raw(memory:NVMM),framerate={_gst_fraction(excerpt.rate)}"]
        size = "" if excerpt.size is None else f",width={excerpt.size[0]},height={excerpt.size[1]}"
        steps = [
            f"nvarguscamerasrc sensor-id={number}",
            *rate,
            "nvvidconv",
            f"video/x-raw,format=I420{size}",
            "jpegenc",
            "fdsink fd=1",
        ]
        return [_JETSON, "--quiet", *" ! ".join(steps).split()]
    raise DeviceError(
        f"a csi camera is read by {_RASPBERRY_PI[0]} (Raspberry Pi) or {_JETSON} (Jetson), and neither is here; a USB"
        " camera is camera:0"
    )


def _gst_fraction(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"


class BoardCamera:
    """The program of a ribbon camera, running; leaves a pipe to read.

    Attributes:
        pipe: its frames, one JPEG behind the other.
        format: FFmpeg's name for that.
    """

    format = "mjpeg"

    def __init__(self, name: str, excerpt: Excerpt = WHOLE) -> None:
        """Start what reads ``csi:0``.

        Raises:
            InputError: behind ``csi:`` stands no number.
            DeviceError: there is no program for it, or it cannot be started.
        """
        number = name.removeprefix("csi:")
        if not number.isdecimal():
            raise InputError(f"a ribbon camera is named by its number, as csi:0, not {name!r}")
        try:
            self._process = subprocess.Popen(
                camera_command(int(number), excerpt),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise DeviceError(f"what reads {name!r} cannot be started: {error}") from error
        assert self._process.stdout is not None
        self.pipe: IO[bytes] = self._process.stdout

    def close(self) -> None:
        """End the program; who reads the pipe finds it ended."""
        self._process.kill()
        self._process.wait()
