"""The ribbon cameras of a Raspberry Pi and a Jetson, which only their makers' own programs read."""

import shutil
import subprocess
from collections.abc import Callable
from typing import IO

from edgevision.core.errors import DeviceError, InputError

_RASPBERRY_PI = ("rpicam-vid", "libcamera-vid")
"""The same program under its new and its old name."""

_JETSON = "gst-launch-1.0"


def camera_command(number: int, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The command that writes JPEG frames of a ribbon camera to standard output.

    Raises:
        DeviceError: there is no program that could.
    """
    for program in _RASPBERRY_PI:
        if which(program):
            options = ["--camera", str(number), "--timeout", "0", "--nopreview", "--codec", "mjpeg", "--output", "-"]
            return [program, *options]
    if which(_JETSON):
        steps = [
            f"nvarguscamerasrc sensor-id={number}",
            "nvvidconv",
            "video/x-raw,format=I420",
            "jpegenc",
            "fdsink fd=1",
        ]
        return [_JETSON, "--quiet", *" ! ".join(steps).split()]
    raise DeviceError(
        f"a csi camera is read by {_RASPBERRY_PI[0]} (Raspberry Pi) or {_JETSON} (Jetson), and neither is here; a USB"
        " camera is camera:0"
    )


class BoardCamera:
    """The program of a ribbon camera, running; leaves a pipe to read.

    Attributes:
        pipe: its frames, one JPEG behind the other.
        format: FFmpeg's name for that.
    """

    format = "mjpeg"

    def __init__(self, name: str) -> None:
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
                camera_command(int(number)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise DeviceError(f"what reads {name!r} cannot be started: {error}") from error
        assert self._process.stdout is not None
        self.pipe: IO[bytes] = self._process.stdout

    def close(self) -> None:
        """End the program; who reads the pipe finds it ended."""
        self._process.kill()
        self._process.wait()
