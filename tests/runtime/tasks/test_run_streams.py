"""``edgevision run`` on videos, as a user calls it."""

import json
import threading
import urllib.request
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

import av

from edgevision import load
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks import run_streams
from tests.runtime.streams.clips import numbered, write_clip
from tests.runtime.streams.test_live import Camera


def frames_of(path):
    with open_source(str(path), Excerpt()) as source:
        return list(source.frames())


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4")


def test_a_video_is_restored_frame_by_frame(edgevision, clip):
    code, out, _ = edgevision("run", "brighten", clip)
    assert (code, out.strip()) == (0, str(clip.with_name("clip-brightened.mp4")))
    before, after = frames_of(clip), frames_of(clip.with_name("clip-brightened.mp4"))
    assert [frame.time for frame in after] == [frame.time for frame in before]
    with load("brighten") as brighten:
        wanted = np.asarray(brighten(before[3].pixels))
    assert np.abs(after[3].pixels.astype(int) - wanted).mean() < 2
    assert "exists already" in edgevision("run", "brighten", clip)[2]


def test_a_denoised_video_keeps_its_count_times_size_and_turn(edgevision, tmp_path):
    times = [Fraction(tenths, 10) for tenths in (0, 1, 3, 4, 9)]
    path = write_clip(tmp_path / "clip.mp4", len(times), times=times, rotation=90)
    code, _out, err = edgevision("run", "denoise", path, "-o", tmp_path / "out.mp4")
    assert code == 0, err
    with open_source(str(path), Excerpt()) as source, open_source(str(tmp_path / "out.mp4"), Excerpt()) as made:
        before, after = list(source.frames()), list(made.frames())
        assert made.facts.coding == source.facts.coding
        assert made.facts.coding.rotation == 90
    assert [frame.time for frame in after] == [frame.time for frame in before] == times
    assert {frame.pixels.shape for frame in after} == {(64, 48, 3)}
    assert [frame.pixels.shape for frame in before] == [frame.pixels.shape for frame in after]


def test_one_mask_is_for_all_frames(edgevision, clip, tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 40:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    code, _out, err = edgevision(
        "run", "inpaint", clip, tmp_path / "mask.png", "--end", "0.2", "-o", tmp_path / "frames/"
    )
    assert code == 0, err
    for number, frame in enumerate(frames_of(clip)[:2]):
        filled = np.asarray(Image.open(tmp_path / f"frames/{number:06d}.png"))
        assert np.array_equal(filled[mask == 0], frame.pixels[mask == 0])


def test_a_line_for_each_frame(edgevision, clip, tmp_path):
    _, out, _ = edgevision("run", "classify", clip, "--json", "--every", "4", "-o", tmp_path / "labelled.mkv")
    *lines, last = map(json.loads, out.splitlines())
    assert [line["frame"] for line in lines] == [0, 4, 8]
    assert [line["time"] for line in lines] == [0, 0.4, 0.8]
    with load("classify") as classify:
        for line, frame in zip(lines, frames_of(clip)[::4], strict=True):
            assert line["predictions"][0]["label"] == classify(frame.pixels).label
            assert line["latency_ms"] > 0
    assert last["end"] is True
    assert last["sources"][0] | {"source": ""} == {"source": "", "frames": 3, "dropped": 0, "error": None}
    labelled = frames_of(tmp_path / "labelled.mkv")
    assert [float(frame.time) for frame in labelled] == [0, 0.4, 0.8]
    _code, out, err = edgevision("run", "classify", clip, "--top", "1")
    assert len(out.splitlines()) == 12
    assert "12 frames in" in err


def test_several_videos_share_a_model(edgevision, clip, tmp_path):
    other = write_clip(tmp_path / "other.mp4", 5)
    _, out, _ = edgevision("run", "classify", clip, other, "--json", "-o", tmp_path / "out/")
    *lines, last = map(json.loads, out.splitlines())
    assert [line["frame"] for line in lines if line["source"] == str(other)] == list(range(5))
    assert [source["frames"] for source in last["sources"]] == [12, 5]
    assert len(frames_of(tmp_path / "out/clip.mp4")) == 12
    _code, out, _err = edgevision("run", "classify", clip, other, "--count-only")
    assert sum(int(line.split()[1]) for line in out.splitlines()) == 17
    _code, out, _err = edgevision("run", "detect", clip, "--count-only", "--class", "WBC", "--min-score", "1")
    assert out.splitlines() == ["WBC  0 in 0 frames"]
    _code, out, _err = edgevision("run", "detect", clip, "--count-only", "--min-score", "1")
    assert out.splitlines() == ["nothing  0 in 0 frames"]
    assert "is one place for 2 sources" in edgevision("run", "classify", clip, other, "-o", tmp_path / "x.mp4")[2]


def test_ctrl_c_leaves_a_video_that_plays(edgevision, tmp_path, monkeypatch):
    camera = Camera()
    shown = run_streams.shown
    count = iter(range(100))

    def interrupted(answer, pixels):
        if next(count) == 4:
            raise KeyboardInterrupt
        return shown(answer, pixels)

    monkeypatch.setattr(run_streams, "shown", interrupted)
    code, _out, _err = edgevision("run", "classify", camera.address, "-o", tmp_path / "out.mp4", "--quiet")
    camera.end()
    assert code == 130
    assert len(frames_of(tmp_path / "out.mp4")) == 4


def test_what_is_made_can_be_watched(edgevision):
    camera = Camera()
    seen = threading.Event()
    watched = []

    def watch(line):
        with urllib.request.urlopen(line.split()[-1], timeout=20) as answer:
            watched.append(answer.headers["Content-Type"])
            watched.append(answer.read(4000))
        seen.set()
        camera.end()

    original = run_streams.echo

    def echo(text, **how):
        original(text, **how)
        if text.startswith("watch at"):
            threading.Thread(target=watch, args=(text,), daemon=True).start()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_streams, "echo", echo)
        code, _out, err = edgevision("run", "classify", camera.address, "-o", "http://127.0.0.1:0", "--retry", "0")
    assert seen.wait(20)
    assert watched[0].startswith("multipart/x-mixed-replace")
    assert b"\xff\xd8" in watched[1]
    assert code == 1
    assert "broke off" in err


def test_a_damaged_video_is_an_answer_of_no(edgevision, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 40)
    data = bytearray(path.read_bytes())
    begin = data.find(b"mdat")
    length = int.from_bytes(data[begin - 4 : begin], "big")
    data[begin + length // 2 : begin + length * 3 // 4] = bytes(length * 3 // 4 - length // 2)
    path.write_bytes(data)
    code, _out, err = edgevision("run", "brighten", path)
    assert code == 1
    assert "is damaged" in err
    assert frames_of(path.with_name("clip-brightened.mp4"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--start", "5", "--end", "2"], "lies before --start"),
        (["--start", "soon"], "--start is a time"),
        (["--resize", "big"], "--resize is a size"),
        (["--count-only", "-o", "x.mp4"], "writes nothing"),
        (["--csv"], "--csv is for pictures"),
        (["-o", "x.txt"], "no name for many frames"),
    ],
)
def test_options_that_cannot_be(edgevision, clip, arguments, reason):
    code, _out, err = edgevision("run", "classify", clip, *arguments)
    assert code == 2
    assert reason in err


def test_options_for_streams_are_refused_for_pictures(edgevision, tmp_path, clip):
    Image.fromarray(numbered(0)).save(tmp_path / "a.png")
    for arguments in (["--every", "2"], ["--fps", "2"], ["--count-only"], ["--codec", "h264"]):
        assert "is for videos and cameras" in edgevision("run", "classify", tmp_path / "a.png", *arguments)[2]
    assert "is no video or camera" in edgevision("run", "classify", clip, tmp_path / "a.png")[2]
    assert "name the video for the results" in edgevision("run", "denoise", "lavfi:testsrc")[2]
    # A camera that is not there is said first.
    code, _, error = edgevision("run", "denoise", "/dev/video77")
    assert code == 2
    assert "'/dev/video77' is not there" in error


def test_curves_are_kept_steady_within_a_scene(edgevision, tmp_path):
    """Frames of one scene are bent by nearly the same curves; behind a cut it is as if the video began there."""
    generator = np.random.default_rng(0)
    frames = tmp_path / "dark"
    frames.mkdir()
    for number in range(10):
        light = (60 + 20 * (number % 2)) if number < 6 else 250
        pixels = generator.integers(0, light, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(frames / f"{number}.png")
    made = {}
    for smooth in ("0", "0.9"):
        assert edgevision("run", "brighten", frames, "--smooth", smooth, "-o", tmp_path / f"{smooth}.gif")[0] == 0
        made[smooth] = frames_of(tmp_path / f"{smooth}.gif")
    means = {smooth: [frame.pixels.mean() for frame in frames] for smooth, frames in made.items()}
    assert means["0.9"][0] == means["0"][0]
    assert abs(means["0.9"][1] - means["0"][1]) > 1
    assert means["0.9"][6] == means["0"][6]


def test_what_is_for_pictures_alone_is_not_ignored(edgevision, clip, tmp_path):
    for verb, option in (("detect", "--yolo"), ("segment", "--masks")):
        code, _out, err = edgevision("run", verb, clip, option, tmp_path / "found")
        assert (code, option in err) == (2, True)


def test_no_frame_is_no_result(edgevision, clip, tmp_path):
    code, out, err = edgevision("run", "detect", clip, "--start", "9", "-o", tmp_path / "out.mp4")
    assert (code, out) == (2, "")
    assert "there is no frame" in err
    assert not (tmp_path / "out.mp4").exists()


def test_what_was_counted_is_said_at_an_interruption(edgevision, clip, monkeypatch):
    def interrupted(sources, answer, deliver, flow):
        pump(sources, answer, deliver, flow)
        raise KeyboardInterrupt

    pump = run_streams.pump
    monkeypatch.setattr(run_streams, "pump", interrupted)
    code, out, _ = edgevision("run", "classify", clip, "--count-only", "--json")
    last = json.loads(out)
    assert (code, last["end"], last["sources"][0]["frames"]) == (130, True, 12)
    assert sum(count["things"] for count in last["counts"].values()) == 12


def test_streams_are_not_sent_to_boards(edgevision, clip, tmp_path):
    for verb, name in (("classify", clip), ("detect", "camera:0"), ("denoise", "rtsp://door"), ("segment", clip)):
        code, _out, err = edgevision("run", verb, name, "--on", "board", "-o", tmp_path / "out.mp4")
        assert (code, "frames --on does not carry" in err) == (2, True), err


def transport_stream(path, size, count):
    """A video in a form of which two, one behind the other, are one."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number, size), format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_size_that_changes_in_the_middle(edgevision, tmp_path):
    mixed = tmp_path / "mixed.mkv"
    mixed.write_bytes(transport_stream(tmp_path / "a", (64, 48), 6) + transport_stream(tmp_path / "b", (96, 64), 6))
    code, out, err = edgevision("run", "brighten", mixed)
    assert code == 1
    assert "holds frames of 64x48, and one of 96x64 follows; -o frames/ takes" in err
    assert str(tmp_path / "mixed-brightened.mkv") in out
    assert [frame.pixels.shape for frame in frames_of(tmp_path / "mixed-brightened.mkv")] == [(48, 64, 3)] * 6
    assert edgevision("run", "brighten", mixed, "-o", tmp_path / "frames/")[0] == 0
    shapes = [frame.pixels.shape for frame in frames_of(tmp_path / "frames")]
    assert shapes == [(48, 64, 3)] * 6 + [(64, 96, 3)] * 6
    _, out, _ = edgevision("run", "classify", mixed, "--json")
    assert json.loads(out.splitlines()[-1])["sources"][0]["frames"] == 12


def test_videos_of_which_nothing_can_be_had(edgevision, tmp_path):
    with av.open(str(tmp_path / "empty.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    data = write_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "codec.mp4").write_bytes(data.replace(b"avc1", b"zzzz"))
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    for name, reason in (
        ("empty", "holds no pictures: it has nothing"),
        ("codec", "coded in a way that this FFmpeg does not know"),
        ("cut", "cut off, its index is lost"),
    ):
        code, _out, err = edgevision("run", "brighten", tmp_path / f"{name}.mp4")
        assert (code, reason in err) == (2, True), err
        assert not (tmp_path / f"{name}-brightened.mp4").exists()
