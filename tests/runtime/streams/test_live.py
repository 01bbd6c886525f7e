"""Streams of the network and cameras: found, broken off, come back."""

import sys
import threading
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("av")

from edgevision.core.errors import DeviceError, InputError, OutputError
from edgevision.runtime.streams.board_camera import camera_command
from edgevision.runtime.streams.live_source import LiveSource, camera_device
from edgevision.runtime.streams.mjpeg_server import MjpegServer
from edgevision.runtime.streams.source import Excerpt
from tests.runtime.streams.clips import number_in, numbered

WHOLE = Excerpt()


class Camera:
    """A camera of the network: numbered frames at an address, 50 a second."""

    def __init__(self, address="http://127.0.0.1:0"):
        self.server = MjpegServer(address)
        self.address = self.server.address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._ended.wait(0.02):
            self.server.write(numbered(number), Fraction(number, 50))
            number += 1

    def end(self):
        self._ended.set()
        self._thread.join()
        self.server.close()


def test_what_is_served_is_a_source():
    camera = Camera()
    try:
        with LiveSource(camera.address, WHOLE) as source:
            frames = [frame for frame, _ in zip(source.frames(), range(10), strict=False)]
    finally:
        camera.end()
    assert [frame.number for frame in frames] == list(range(10))
    numbers = [number_in(frame.pixels) for frame in frames]
    assert [(after - before) % 16 for before, after in pairwise(numbers)].count(1) >= 5
    assert sorted(frame.time for frame in frames) == [frame.time for frame in frames]


def test_a_stream_that_breaks_off_is_waited_for():
    said = []
    camera = Camera()
    with LiveSource(camera.address, WHOLE, retry=30, remark=said.append) as source:
        frames = source.frames()
        before = [next(frames) for _ in range(3)]
        camera.end()
        back = threading.Timer(0.3, lambda: cameras.append(Camera(source.name)))
        cameras = []
        back.start()
        after = next(frame for frame in frames if source.breaks)
        cameras[0].end()
    assert source.breaks == 1
    assert 0.3 < source.gone < 20
    assert "broke off" in said[0]
    assert "is back after" in said[1]
    assert after.number > before[-1].number
    assert after.time - before[-1].time >= Fraction(3, 10)


def test_a_stream_that_stays_away():
    camera = Camera()
    with LiveSource(camera.address, WHOLE, retry=0.5, remark=lambda line: None) as source:
        frames = source.frames()
        next(frames)
        camera.end()
        with pytest.raises(InputError, match=r"is gone for 0.5 s, which is --retry"):
            list(frames)
    camera = Camera()
    with LiveSource(camera.address, WHOLE) as source:
        frames = source.frames()
        next(frames)
        camera.end()
        with pytest.raises(InputError, match=r"broke off: .*; --retry 60"):
            list(frames)


def test_addresses_where_nothing_is():
    with pytest.raises(InputError, match="cannot be read as a video"):
        LiveSource("http://127.0.0.1:9/", WHOLE)
    with pytest.raises(InputError, match="is not there"):
        LiveSource("/dev/video77", WHOLE)
    with pytest.raises(InputError, match="named by its number"):
        LiveSource("camera:front", WHOLE)
    for address in ("http://127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1:80/path"):
        with pytest.raises(OutputError, match=r"address|served at"):
            MjpegServer(address)
    camera = Camera()
    with pytest.raises(OutputError, match="cannot be listened at"):
        MjpegServer(camera.address)
    camera.end()


def test_what_is_made_up_ends_where_it_is_to_end():
    with LiveSource("lavfi:testsrc=size=32x24:rate=100:duration=0.3", WHOLE, retry=60) as source:
        assert [frame.number for frame in source.frames()] == list(range(30))
    assert source.breaks == 0


def test_a_pattern_is_a_camera_without_end():
    started = time.monotonic()
    with LiveSource("lavfi:testsrc=size=32x24:rate=100", Excerpt(end=Fraction(1))) as source:
        frames = list(source.frames())
    assert len(frames) == 100
    assert time.monotonic() - started < 30
    assert frames[0].pixels.shape == (24, 32, 3)


def test_cameras_have_their_names_on_each_system():
    assert camera_device("/dev/video3") == ("v4l2", "/dev/video3")
    assert camera_device("camera:1", "linux") == ("v4l2", "/dev/video1")
    assert camera_device("camera:1", "darwin") == ("avfoundation", "1")


def test_ribbon_cameras_are_read_by_their_makers_programs():
    assert camera_command(1, which={"rpicam-vid": "x"}.get)[:3] == ["rpicam-vid", "--camera", "1"]
    assert camera_command(0, which={"libcamera-vid": "x"}.get)[0] == "libcamera-vid"
    jetson = camera_command(2, which={"gst-launch-1.0": "x"}.get)
    assert " ".join(jetson) == (
        "gst-launch-1.0 --quiet nvarguscamerasrc sensor-id=2 ! nvvidconv ! video/x-raw,format=I420 ! jpegenc"
        " ! fdsink fd=1"
    )
    asked = Excerpt(size=(1280, 720), rate=Fraction(15))
    assert " ".join(camera_command(0, asked, {"rpicam-vid": "x"}.get)) == (
        "rpicam-vid --camera 0 --timeout 0 --nopreview --codec mjpeg --width 1280 --height 720 --framerate 15"
        " --output -"
    )
    assert " ".join(camera_command(0, asked, {"gst-launch-1.0": "x"}.get)) == (
        "gst-launch-1.0 --quiet nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),framerate=15/1 ! nvvidconv"
        " ! video/x-raw,format=I420,width=1280,height=720 ! jpegenc ! fdsink fd=1"
    )
    with pytest.raises(DeviceError, match="rpicam-vid"):
        camera_command(0, which={}.get)


@pytest.mark.parametrize("name", ["rpicam-vid", "gst-launch-1.0"])
def test_a_ribbon_camera(tmp_path, monkeypatch, name):
    """A program of that name that writes what the real one does: one JPEG behind the other."""
    program = tmp_path / name
    program.write_text(
        f"#!{sys.executable}\n"
        "import io, sys, numpy as np\n"
        "from PIL import Image\n"
        "while True:\n"
        "    for top in range(16):\n"
        "        pixels = np.full((48, 64, 3), 40, np.uint8)\n"
        "        pixels[3 * top : 3 * top + 3] = 220\n"
        "        Image.fromarray(pixels).save(sys.stdout.buffer, 'JPEG', quality=95)\n"
        "        sys.stdout.buffer.flush()\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with LiveSource("csi:0", WHOLE) as source:
        frames = [frame for frame, _ in zip(source.frames(), range(5), strict=False)]
        process = source._opened._camera._process
    assert process.poll() is not None
    numbers = [number_in(frame.pixels) for frame in frames]
    assert np.diff(numbers).tolist() == [1, 1, 1, 1]
