"""What cameras list of themselves, as v4l2-ctl printed it, and which mode is taken of it."""

from fractions import Fraction

import pytest

pytest.importorskip("av")

from edgevision.core.errors import DeviceError, InputError
from edgevision.runtime.streams import decoding, live_source
from edgevision.runtime.streams.camera_modes import choose_mode, mode_options, parse_modes
from edgevision.runtime.streams.decoding import video_error
from edgevision.runtime.streams.source import Excerpt

# A USB camera whose raw frames are slow where they are large; the release of Debian 12.
WEBCAM = """\
ioctl: VIDIOC_ENUM_FMT
\tType: Video Capture

\t[0]: 'MJPG' (Motion-JPEG, compressed)
\t\tSize: Discrete 1920x1080
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\t\tInterval: Discrete 0.067s (15.000 fps)
\t\tSize: Discrete 1280x720
\t\t\tInterval: Discrete 0.017s (60.000 fps)
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\tSize: Discrete 640x480
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t[1]: 'YUYV' (YUYV 4:2:2)
\t\tSize: Discrete 640x480
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\t\tInterval: Discrete 0.133s (7.500 fps)
\t\tSize: Discrete 1280x720
\t\t\tInterval: Discrete 0.100s (10.000 fps)
"""

# A Raspberry Pi's camera by the old driver, and the older form of the list.
SCALING = """\
ioctl: VIDIOC_ENUM_FMT
\tIndex       : 0
\tType        : Video Capture
\tPixel Format: 'YU12'
\tName        : Planar YUV 4:2:0
\t\tSize: Stepwise 32x32 - 2592x1944 with step 2/2
\t\t\tInterval: Continuous 0.011s - 1.000s (1.000-90.000 fps)

\tIndex       : 1
\tType        : Video Capture
\tPixel Format: 'H264' (compressed)
\tName        : H.264
\t\tSize: Stepwise 32x32 - 2592x1944 with step 2/2
"""


def chosen(text, **asked):
    mode, size = choose_mode(parse_modes(text), Excerpt(**asked))
    return mode.format, size, mode.rate


def test_a_list_is_read():
    modes = parse_modes(WEBCAM)
    assert [(mode.format, mode.most, mode.rate) for mode in modes] == [
        ("MJPG", (1920, 1080), 30),
        ("MJPG", (1280, 720), 60),
        ("MJPG", (640, 480), 30),
        ("YUYV", (640, 480), 30),
        ("YUYV", (1280, 720), 10),
    ]
    raw, coded = parse_modes(SCALING)
    assert (raw.format, raw.least, raw.most, raw.step, raw.rate) == ("YU12", (32, 32), (2592, 1944), (2, 2), 90)
    assert (coded.format, coded.rate) == ("H264", None)
    assert parse_modes("Cannot open device /dev/video9, exiting.") == []


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ({"size": (640, 480)}, ("YUYV", (640, 480), 30)),
        ({"size": (600, 400)}, ("YUYV", (640, 480), 30)),
        ({"size": (1000, 700)}, ("MJPG", (1280, 720), 60)),
        ({"size": (1000, 700), "rate": Fraction(5)}, ("YUYV", (1280, 720), 10)),
        ({"size": (4000, 3000)}, ("MJPG", (1920, 1080), 30)),
        ({"rate": Fraction(50)}, ("MJPG", (1280, 720), 60)),
        ({"rate": Fraction(500)}, ("MJPG", (1280, 720), 60)),
    ],
)
def test_the_smallest_that_is_large_and_fast_enough_is_taken(asked, mode):
    assert chosen(WEBCAM, **asked) == mode


def test_a_camera_that_scales_gives_the_size_itself():
    assert chosen(SCALING, size=(641, 360)) == ("YU12", (642, 360), 90)
    assert chosen(SCALING, size=(9999, 9999)) == ("YU12", (2592, 1944), 90)


def test_nothing_is_chosen_where_nothing_is_asked_or_known():
    assert choose_mode(parse_modes(WEBCAM), Excerpt()) is None
    assert choose_mode([], Excerpt(size=(640, 480))) is None


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """A program of that name on the PATH, which says what it was asked."""
    (tmp_path / "list.txt").write_text(WEBCAM)
    program = tmp_path / "v4l2-ctl"
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\ncat "{tmp_path}/list.txt"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_ffmpeg_is_told_the_mode(listing, monkeypatch):
    opened = []

    class Av:
        @staticmethod
        def open(device, **how):
            opened.append((device, how["format"], how["options"]))
            raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(live_source, "load_av", lambda: Av)
    with pytest.raises(DeviceError, match="used by another program"):
        live_source.LiveSource("camera:2", Excerpt(size=(1280, 720)))
    options = {"input_format": "mjpeg", "video_size": "1280x720", "framerate": "60.0"}
    assert opened == [("/dev/video2", "v4l2", options)]
    assert (listing / "asked").read_text().split() == ["--device", "/dev/video2", "--list-formats-ext"]
    assert mode_options("/dev/video2", Excerpt()) == {}


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (16, DeviceError, "used by another program; close that one"),
        (2, InputError, "is not there"),
        (19, InputError, "is not there"),
        (13, InputError, "may not be read by this user"),
    ],
)
def test_cameras_that_cannot_be_had(number, kind, words):
    error = video_error("camera:0", OSError(number, "as the system says"))
    assert isinstance(error, kind)
    assert words in str(error)


def test_what_is_not_there_is_said_with_what_is(monkeypatch, tmp_path):
    gone = OSError(2, "as the system says")
    monkeypatch.setattr(decoding, "_DEVICES", tmp_path)
    assert str(video_error("camera:9", gone)).endswith("no camera is seen here: connect one, or name a video")
    for name in ("video2", "video0", "null"):
        (tmp_path / name).touch()
    assert str(video_error("camera:9", gone)) == "'camera:9' is not there; this machine has /dev/video0, /dev/video2"
    assert str(video_error("street.mp4", gone)).endswith("name a video that is, or a camera as camera:0")
