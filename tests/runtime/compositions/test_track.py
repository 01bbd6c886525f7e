"""``edgevision run track`` and ``evaluate track`` on squares that move."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("scipy")
pytest.importorskip("av")

from edgevision import export, load
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tracking.mot_files import read_mot
from tests.bright_squares import HEIGHT, SIDE, WIDTH, write_detector

FRAMES = 16


@pytest.fixture(scope="module")
def detector(made_once):
    def fill(folder):
        write_detector(folder / "squares.onnx")
        export(
            folder / "squares.onnx",
            folder / "detector.onnx",
            metadata={"task": "detect", "spec": {"labels": ["square"]}},
        )

    return made_once("track-detector", fill) / "detector.onnx"


@pytest.fixture
def frames(tmp_path):
    """One square goes right, another left, on rows of their own; the truth is written beside."""
    folder = tmp_path / "frames"
    folder.mkdir()
    lines = []
    for number in range(FRAMES):
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for track, (left, top) in enumerate(((4 + 4 * number, 8), (76 - 4 * number, 40)), start=1):
            pixels[top : top + SIDE, left : left + SIDE] = 255
            lines.append(f"{number + 1},{track},{left},{top},{SIDE},{SIDE},1,-1,-1,-1\n")
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "gt.txt").write_text("".join(lines))
    return folder


def test_things_are_followed_counted_and_judged(edgevision, detector, frames, tmp_path):
    code, out, err = edgevision(
        "run", "track", frames, "-m", detector, "-o", tmp_path / "out.mp4", "--mot", tmp_path / "found.txt",
        "--line", f"48,0,48,{HEIGHT}", "--zone", "0,0,96,0,96,32,0,32", "--counts", tmp_path / "counts.csv",
    )  # fmt: skip
    assert code == 0, err
    assert len(out.splitlines()) == FRAMES + 3
    assert "line 1: 1 to the left, 1 to the right" in out
    assert "zone 1: 1 were inside" in out
    header, row = (tmp_path / "counts.csv").read_text().splitlines()
    assert header == "minute,line 1 left,line 1 right,zone 1 things,zone 1 at once"
    assert row == "0,1,1,1,1"
    assert set(read_mot(tmp_path / "found.txt").ids.tolist()) == {1, 2}
    with open_source(str(tmp_path / "out.mp4"), Excerpt()) as source:
        drawn = list(source.frames())
    assert len(drawn) == FRAMES
    assert drawn[-1].pixels[:HEIGHT, :, :].max() > 200

    code, out, _ = edgevision("evaluate", "track", tmp_path / "found.txt", tmp_path / "gt.txt", "--json")
    figures = json.loads(out)["figures"]
    assert (code, figures["idf1"], figures["mota"], figures["switches"]) == (0, 1, 1, 0)
    assert "HOTA" in edgevision("evaluate", "track", tmp_path / "found.txt", tmp_path / "gt.txt")[1]


def test_a_line_of_json_for_each_frame(edgevision, detector, frames):
    code, out, _ = edgevision("run", "track", frames, "-m", detector, "-o", frames.with_name("o.gif"), "--json")
    *lines, last = map(json.loads, out.splitlines())
    assert code == 0
    assert [{row["id"] for row in line["tracks"]} for line in lines] == [{1, 2}] * FRAMES
    assert last["counts"] == {"square": {"things": 2 * FRAMES, "frames": FRAMES}}


def test_things_are_known_by_their_looks(edgevision, detector, frames):
    code, out, err = edgevision("run", "track", frames, "-m", detector, "-o", frames.with_name("o.gif"), "--json",
                                "--appearance", "histogram")  # fmt: skip
    *lines, _ = map(json.loads, out.splitlines())
    assert code == 0, err
    assert [{row["id"] for row in line["tracks"]} for line in lines] == [{1, 2}] * FRAMES


def test_from_python(detector, frames):
    with load("track", detector=str(detector), trail=4) as follow:
        for number in range(6):
            tracks = follow(frames / f"{number}.png")
    assert tracks.ids.tolist() == [1, 2]
    assert [len(way) for way in tracks.trails.values()] == [4, 4]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--line", "1,2,3"], "--line is 2 points"),
        (["--line", "1,2,1,2"], "twice the same"),
        (["--zone", "1,2,3,4"], "--zone is 3 or more points"),
        (["--counts", "c.csv"], "neither is given"),
        (["--sure", "0.1", "--unsure", "0.5"], "lies below --unsure"),
        (["--class", "cat"], "'cat' is no class that"),
        (["--appearance", "none.onnx"], "--appearance is histogram or a model file"),
    ],
)
def test_options_that_cannot_be(edgevision, detector, frames, arguments, reason):
    code, _, err = edgevision("run", "track", frames, "-m", detector, "-o", frames.with_name("o.gif"), *arguments)
    assert code == 2
    assert reason in err


def test_evaluating_tracks_wants_two_files(edgevision, frames):
    truth = frames.with_name("gt.txt")
    assert "evaluate track RESULT TRUTH" in edgevision("evaluate", "track", truth)[2]
    assert "evaluate track RESULT TRUTH" in edgevision("evaluate", "classify", frames, truth)[2]
    assert "cannot be read" in edgevision("evaluate", "track", truth, frames / "none.txt")[2]
    (frames / "empty.txt").touch()
    assert "no box that is to be scored" in edgevision("evaluate", "track", truth, frames / "empty.txt")[2]


def test_what_cannot_begin_leaves_earlier_files(edgevision, detector, frames, tmp_path):
    (tmp_path / "boxes.txt").write_text("mine")
    (tmp_path / "counts.csv").write_text("mine")
    kept = ["--mot", tmp_path / "boxes.txt", "--counts", tmp_path / "counts.csv", "--line", "0,0,9,9", "--force"]
    code, out, _ = edgevision("run", "track", frames, "-m", detector, "--class", "cat", *kept)
    assert (code, out) == (2, "")
    assert (tmp_path / "boxes.txt").read_text() == (tmp_path / "counts.csv").read_text() == "mine"
