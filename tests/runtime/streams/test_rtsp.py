"""RTSP cameras whose frames say their own number: killed and restarted, and faster than what looks at them."""

import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("av")

from edgevision.runtime.streams.live_source import LiveSource
from edgevision.runtime.streams.pump import pump
from edgevision.runtime.streams.source import Excerpt
from tests.runtime.streams.clips import code_in
from tests.runtime.streams.rtsp_server import RtspServer

WHOLE = Excerpt()
SYSTEM_PYTHON = "/usr/bin/python3"
"""That of the distribution, for which GStreamer's packages are."""
CAMERA = str(Path(__file__).parents[3] / "benchmarks/rtsp_camera.py")


@pytest.fixture
def server():
    servers = []

    def start(**how):
        servers.append(RtspServer(**how))
        return servers[-1]

    yield start
    for each in servers:
        each.kill()


def test_frames_come_in_order_with_their_own_times(server):
    camera = server(rate=25)
    with LiveSource(camera.address, WHOLE) as source:
        frames = [frame for frame, _ in zip(source.frames(), range(15), strict=False)]
    codes = [code_in(frame.pixels) for frame in frames]
    assert [after - before for before, after in pairwise(codes)] == [1] * 14
    assert [round(25 * frame.time) for frame in frames] == [code - codes[0] for code in codes]
    assert all(frame.arrived <= time.monotonic() and frame.decode_seconds > 0 for frame in frames)


def test_a_camera_that_is_killed_and_comes_back(server):
    camera, said = server(), []
    with LiveSource(camera.address, WHOLE, retry=60, remark=said.append) as source:
        frames = source.frames()
        before = [next(frames) for _ in range(10)]
        camera.kill()
        again = threading.Timer(0.3, lambda: server(port=camera.port))
        again.start()
        after = []
        for frame in frames:
            if source.breaks:
                after.append(frame)
            else:
                before.append(frame)
            if len(after) == 10:
                break
        again.join()
    for part in (before, after):
        codes = [code_in(frame.pixels) for frame in part]
        assert [later - earlier for earlier, later in pairwise(codes)] == [1] * (len(part) - 1)
    assert source.breaks == 1
    assert after[0].number == before[-1].number + 1
    assert after[0].time - before[-1].time > 0.2
    assert "broke off" in said[0]
    assert "is back after" in said[1]


def test_a_slow_consumer_gets_the_newest_and_every_drop_is_counted(server):
    """Of a thousand frames a second, or as many as this machine can make."""
    camera, seen = server(rate=1000), []
    with LiveSource(camera.address, WHOLE) as source:

        def answer(frames):
            (frame,) = frames
            seen.append((frame.number, code_in(frame.pixels)))
            time.sleep(0.05)
            if frame.number - len(seen) > 100:
                source.close()
            return [seen[-1]]

        answers = []
        flow = pump([source], answer, lambda answered: answers.append((answered.frame.number, *answered.answer)))
    # Each answer is that of its own frame; and what the camera sent between two of them was dropped and counted.
    assert [number for number, _, _ in answers] == [number for _, number, _ in answers]
    assert {code - number for number, code in seen} == {seen[0][1] - seen[0][0]}
    gaps = sum(after - before - 1 for (before, _), (after, _) in pairwise(seen)) + seen[0][0]
    # What came behind the last one that was answered was dropped or waits yet.
    assert 100 < gaps <= flow.dropped[0] <= camera.sent - flow.frames[0]
    assert flow.frames[0] == len(seen)


def gstreamer_is_here():
    if not Path(SYSTEM_PYTHON).exists():
        return False
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None);"
    code += " assert Gst.ElementFactory.find('x264enc')"
    return subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture
def gstreamer():
    """Start GStreamer's server at a port; 0 for any."""
    running = []

    def start(port=0):
        command = [SYSTEM_PYTHON, CAMERA, "--rate", "50", "--port", str(port)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        return running[-1], running[-1].stdout.readline().strip()

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(not gstreamer_is_here(), reason="GStreamer's RTSP server and x264 encoder are not installed")
def test_gstreamers_server_is_killed_and_comes_back(gstreamer):
    process, address = gstreamer()
    with LiveSource(address, WHOLE, retry=60, remark=lambda line: None) as source:
        frames = source.frames()
        before = [code_in(next(frames).pixels) for _ in range(10)]
        process.kill()
        again = threading.Timer(0.3, gstreamer, [urlsplit(address).port])
        again.start()
        after = [
            code_in(frame.pixels) for frame, _ in zip((f for f in frames if source.breaks), range(10), strict=False)
        ]
        again.join()
    for codes in (before, after):
        assert [later - earlier for earlier, later in pairwise(codes)] == [1] * 9
    assert source.breaks == 1
