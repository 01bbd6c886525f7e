"""Videos, animations and folders, read and written."""

import errno
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

import av

from edgevision.core.errors import DiskFullError, InputError, OutputError
from edgevision.runtime.streams import reserved_file
from edgevision.runtime.streams.frame import StreamFacts
from edgevision.runtime.streams.opening import open_output, open_source
from edgevision.runtime.streams.source import Excerpt
from tests.runtime.streams.clips import SIZE, number_in, numbered, write_clip

WHOLE = Excerpt()
UNEVEN = [Fraction(n) for n in (0, 1, 2, 7, 8, 20, 21, 22, 30, 31, 32, 40)]


def read(path, excerpt=WHOLE):
    with open_source(str(path), excerpt) as source:
        return source.facts, list(source.frames())


def copied(path, target, excerpt=WHOLE):
    """All frames of ``path`` through our reader and writer."""
    with open_source(str(path), excerpt) as source:
        output = open_output(str(target), source.facts, codec=None, force=False)
        for frame in source.frames():
            output.write(frame.pixels, frame.time)
        output.close()
    return target


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
@pytest.mark.parametrize(("rotation", "coding"), [(0, (1, 1)), (90, (5, 2)), (180, (1, 2)), (270, (5, 1))])
def test_a_copy_has_the_frames_times_turns_and_colours_of_its_source(tmp_path, suffix, rotation, coding):
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = write_clip(
        tmp_path / f"in{suffix}", times=[t / 10 for t in UNEVEN], rotation=rotation, coding=coding, codec=codec
    )
    facts, frames = read(path)
    after, copies = read(copied(path, tmp_path / f"out{suffix}"))
    assert after.coding == facts.coding
    assert (facts.coding.rotation, facts.coding.colorspace, facts.coding.color_range) == (rotation, *coding)
    assert [copy.time for copy in copies] == [frame.time for frame in frames]
    assert [round(frame.time * 10) for frame in frames] == UNEVEN
    for frame, copy in zip(frames, copies, strict=True):
        assert frame.pixels.shape == copy.pixels.shape
        # VP9 loses more than H.264; another matrix would change the red by ten.
        lost = np.abs(frame.pixels.mean(axis=(0, 1)) - copy.pixels.mean(axis=(0, 1))).max()
        assert lost < (2.5 if suffix == ".webm" else 1.6)


def test_an_avi_has_the_frames_of_its_source_at_its_rate(tmp_path):
    """It holds a rate, and no times, turns and colours."""
    path = write_clip(tmp_path / "in.mp4")
    facts, frames = read(path)
    after, copies = read(copied(path, tmp_path / "out.avi"))
    assert (after.rate, len(copies)) == (facts.rate, 12)
    assert [copy.time - copies[0].time for copy in copies] == [frame.time - frames[0].time for frame in frames]
    assert [number_in(copy.pixels) for copy in copies] == list(range(12))


def test_frames_are_upright(tmp_path):
    _, stored = read(write_clip(tmp_path / "stored.mp4"))
    for rotation in (90, 180, 270):
        _, frames = read(write_clip(tmp_path / f"{rotation}.mp4", rotation=rotation))
        assert np.array_equal(frames[3].pixels, np.rot90(stored[3].pixels, rotation // 90))


def test_every_frame_is_its_own(tmp_path):
    _, frames = read(write_clip(tmp_path / "clip.mp4"))
    assert [number_in(frame.pixels) for frame in frames] == [frame.number for frame in frames] == list(range(12))


def test_sound_goes_along_where_the_file_can_hold_it(tmp_path, caplog):
    path = write_clip(tmp_path / "in.mp4", sound=True)
    with av.open(str(copied(path, tmp_path / "out.mp4"))) as copy, av.open(str(path)) as source:
        wave, original = (
            np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1) for container in (copy, source)
        )
    assert np.array_equal(wave, original)
    assert wave.std() > 0.1
    with av.open(str(copied(path, tmp_path / "out.webm"))) as copy:
        assert not copy.streams.audio
    assert ".webm files hold no aac" in caplog.text


@pytest.mark.parametrize(
    ("excerpt", "numbers"),
    [
        (Excerpt(start=Fraction(3, 10), end=Fraction(7, 10)), [3, 4, 5, 6]),
        (Excerpt(every=5), [0, 5, 10]),
        (Excerpt(rate=Fraction(4)), [0, 3, 5, 8, 10]),
        (Excerpt(rate=Fraction(100)), list(range(12))),
    ],
)
def test_parts_of_a_video(tmp_path, excerpt, numbers):
    facts, frames = read(write_clip(tmp_path / "clip.mp4"), excerpt)
    assert [frame.number for frame in frames] == [number_in(frame.pixels) for frame in frames] == numbers
    assert excerpt.frames_of(facts) == len(numbers)


def test_frames_are_made_to_fit(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", rotation=90)
    _, frames = read(path, Excerpt(size=(24, 100)))
    assert frames[0].pixels.shape == (32, 24, 3)
    _, frames = read(path, Excerpt(size=(1000, 1000)))
    assert frames[0].pixels.shape == (SIZE[0], SIZE[1], 3)


@pytest.mark.parametrize("name", ["out.gif", "out.webp"])
def test_an_animation_there_and_back(tmp_path, name):
    times = [t / 10 for t in UNEVEN]
    path = copied(write_clip(tmp_path / "in.mp4", times=times), tmp_path / name)
    facts, frames = read(path)
    assert facts.frames == 12
    assert [float(frame.time) for frame in frames] == [float(time) for time in times]
    assert [number_in(frame.pixels) for frame in frames] == list(range(12))


def test_a_folder_of_frames_counts_its_numbers(tmp_path):
    for number in (10, 2, 1):
        Image.fromarray(numbered(number)).save(tmp_path / f"frame{number}.png")
    _, frames = read(tmp_path)
    assert [number_in(frame.pixels) for frame in frames] == [1, 2, 10]
    assert frames[2].time == Fraction(2, 25)
    files = copied(tmp_path, tmp_path / "copies")
    assert [number_in(np.asarray(Image.open(file))) for file in sorted(files.iterdir())] == [1, 2, 10]
    with pytest.raises(OutputError, match="holds frames already"):
        copied(tmp_path, tmp_path / "copies")


def test_a_truncated_video_gives_what_it_has(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", 40, size=(320, 240))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    frames = []
    with open_source(str(path), WHOLE) as source, pytest.raises(InputError, match=r"cut off: .* of 4\.0 s"):
        frames.extend(source.frames())
    assert 5 < len(frames) < 40
    assert [number_in(frame.pixels) for frame in frames[:5]] == [0, 1, 2, 3, 4]


def test_a_damaged_video_says_how_much_was_done(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 40)
    data = bytearray(path.read_bytes())
    begin = data.find(b"mdat")
    length = int.from_bytes(data[begin - 4 : begin], "big")
    data[begin + length // 2 : begin + length * 3 // 4] = bytes(length * 3 // 4 - length // 2)
    path.write_bytes(data)
    done = []
    with open_source(str(path), WHOLE) as source, pytest.raises(InputError, match=r"damaged: \d+ of 40 frames"):
        done.extend(source.frames())
    assert done


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "cannot be read as a video"), (b"hello" * 100, "cannot be read as a video")]
)
def test_what_is_no_video(tmp_path, content, reason):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        open_source(str(tmp_path / "clip.mp4"), WHOLE)


def test_a_video_without_pictures(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=8000, layout="mono")
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        wave.sample_rate, wave.pts = 8000, 0
        container.mux(audio.encode(wave))
        container.mux(audio.encode(None))
    with pytest.raises(InputError, match="holds no pictures: it has audio"):
        open_source(str(path), WHOLE)
    with pytest.raises(InputError, match="does not exist"):
        open_source(str(tmp_path / "none.mp4"), WHOLE)
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    with pytest.raises(InputError, match="is one picture, not frames in order; name a video, or the folder"):
        open_source(str(tmp_path / "one.png"), WHOLE)


def test_a_size_that_changes_ends_the_video_and_keeps_what_was_done(tmp_path):
    with open_source(str(write_clip(tmp_path / "in.mp4")), WHOLE) as source:
        output = open_output(str(tmp_path / "out.mp4"), source.facts, codec=None, force=False)
    output.write(numbered(0), Fraction(0))
    with pytest.raises(OutputError, match="holds frames of 64x48, and one of 32x48 follows"):
        output.write(numbered(1)[:, :32], Fraction(1))
    output.close()
    _, frames = read(tmp_path / "out.mp4")
    assert len(frames) == 1


def test_odd_sides_are_kept(tmp_path):
    pixels = numbered(3)[:47, :63]
    with open_source(str(write_clip(tmp_path / "in.mp4")), WHOLE) as source:
        output = open_output(str(tmp_path / "out.mp4"), source.facts, codec=None, force=False)
    output.write(pixels, Fraction(0))
    output.close()
    _, (frame,) = read(tmp_path / "out.mp4")
    assert frame.pixels.shape == pixels.shape


def test_places_that_cannot_be_written(tmp_path):
    facts, _ = read(write_clip(tmp_path / "in.mp4"))
    (tmp_path / "there.mp4").touch()
    for name, codec, reason in (
        ("there.mp4", None, "exists already"),
        ("out.mp4", "h266", "--codec is one of"),
        ("out.gif", "h264", "--codec is for videos"),
        ("out.txt", None, "no name for many frames"),
        ("none/out.mp4", None, "does not exist"),
    ):
        with pytest.raises(OutputError, match=reason):
            open_output(str(tmp_path / name), facts, codec=codec, force=False)


class SmallDisk:
    """A file on a disk that has ``room`` for it as long as something else takes the rest."""

    def __init__(self, file, reserve, room):
        self.file, self.reserve, self.room = file, reserve, room

    def write(self, data):
        if self.file.tell() + len(data) > self.room and self.reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.avi", "out.webm"])
def test_a_disk_that_is_full_keeps_what_was_done(tmp_path, monkeypatch, name):
    """Tried on a real one, too: a file system in memory of 24 MB."""
    monkeypatch.setattr(reserved_file, "RESERVE", 1 << 16)
    generator, written = np.random.default_rng(0), []
    output = open_output(str(tmp_path / name), StreamFacts(Fraction(25), Fraction(1, 25)), codec=None, force=False)

    def write(count):
        for _ in range(count):
            written.append(generator.integers(0, 256, (48, 64, 3), np.uint8))
            output.write(written[-1], Fraction(len(written) - 1, 25))

    write(1)
    reserve = output._file._reserve
    assert reserve.stat().st_size == 1 << 16
    output._file._file = SmallDisk(output._file._file, reserve, 150_000)
    with pytest.raises(DiskFullError, match=r"its first \d+ frames are kept, and can be played"):
        write(1000)
    output.close()
    assert len(read(tmp_path / name)[1]) == len(written)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("codec", ["ffv1", None])
def test_a_file_that_may_not_grow_is_no_fault_of_ours(tmp_path, codec):
    """A limit of files of the process, which what is set aside does not help against."""
    output = open_output(
        str(tmp_path / "out.mp4"), StreamFacts(Fraction(25), Fraction(1, 25)), codec=codec, force=False
    )
    output.write(numbered(0), Fraction(0))

    def refuse(data):
        raise OSError(errno.EFBIG, "File too large")

    output._file._file = SmallDisk(output._file._file, tmp_path, 0)
    output._file._file.write = refuse

    def fill():
        try:
            for number in range(1, 400):
                output.write(numbered(number % 12), Fraction(number, 25))
        finally:
            output.close()

    with pytest.raises(DiskFullError, match=r"nothing( of it)? was kept"):
        fill()
    assert not list(tmp_path.iterdir())
