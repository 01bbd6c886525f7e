"""Networks over frames on the device: clips and streams, both forms, and what is wrong with them."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_writer import node, onnx_model
from PIL import Image

from edgevision.core.errors import DatasetError, InputError, ModelFileError
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.runtime.evaluation import evaluate
from edgevision.runtime.load import load
from edgevision.runtime.tasks.sequences.clips import ClipFolder
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier
from edgevision.runtime.tasks.sequences.spec import SequenceSpec, StateSpec

pytestmark = pytest.mark.usefixtures("engine")

LABELS = ("dark", "light")
SIDE = 4

# What is written here remembers the light of all frames: it says "light" where there was more of it than a frame of 2
# gray levels in all. So the answer depends on what was seen earlier.
ENOUGH = 2.0


@pytest.fixture
def engine(need: Callable[[str], None]) -> None:
    need("onnxruntime")


def metadata(**spec: Any) -> ModelMetadata:
    return ModelMetadata(
        task="sequence",
        name="light",
        image=ImageSpec(color=Color.GRAY, size=(SIDE, SIDE), value_range=(0.0, 255.0)),
        spec=SequenceSpec(**({"labels": LABELS, "frames": 5} | spec)),
    )


def write_stream(path: Path, **spec: Any) -> Path:
    """One frame and the sum of light until then in, scores and the next sum out."""
    nodes = [
        node("ReduceMean", ["frame", "axes"], ["light"], keepdims=0),
        node("Unsqueeze", ["light", "last"], ["column"]),
        node("Add", ["column", "sum"], ["next_sum"]),
        node("Sub", ["next_sum", "enough"], ["margin"]),
        node("Neg", ["margin"], ["negative"]),
        node("Concat", ["negative", "margin"], ["logits"], axis=1),
    ]
    weights = {
        "axes": np.array([1, 2, 3], np.int64),
        "last": np.array([1], np.int64),
        "enough": np.array([ENOUGH], np.float32),
    }
    inputs = {"frame": ("batch", 1, SIDE, SIDE), "sum": ("batch", 1)}
    outputs = {"logits": ("batch", 2), "next_sum": ("batch", 1)}
    states = (StateSpec(input="sum", output="next_sum"),)
    path.write_bytes(onnx_model(nodes, inputs, outputs, weights, metadata(**{"states": states, **spec})))
    return path


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    return write_stream(tmp_path / "stream.onnx")


def write_window(path: Path, length: int | str = "time", **spec: Any) -> Path:
    """The same over a window of frames."""
    nodes = [
        node("ReduceMean", ["frames", "axes"], ["light"], keepdims=0),
        node("CumSum", ["light", "one"], ["sum"]),
        node("Sub", ["sum", "enough"], ["margin"]),
        node("Unsqueeze", ["margin", "last"], ["column"]),
        node("Neg", ["column"], ["negative"]),
        node("Concat", ["negative", "column"], ["logits"], axis=2),
    ]
    weights = {
        "axes": np.array([2, 3, 4], np.int64),
        "one": np.array(1, np.int64),
        "last": np.array([2], np.int64),
        "enough": np.array([ENOUGH], np.float32),
    }
    inputs, outputs = {"frames": ("batch", length, 1, SIDE, SIDE)}, {"logits": ("batch", length, 2)}
    path.write_bytes(onnx_model(nodes, inputs, outputs, weights, metadata(**spec)))
    return path


@pytest.fixture
def window(tmp_path: Path) -> Path:
    return write_window(tmp_path / "window.onnx")


def frames(*levels: int) -> np.ndarray:
    """Frames of these gray levels, (T, 4, 4)."""
    return np.stack([np.full((SIDE, SIDE), level, np.uint8) for level in levels])


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips a class, one of them a GIF, one a folder whose tenth frame comes after its ninth."""
    root = tmp_path / "clips"
    for label, levels in (("dark", [0] * 12), ("light", [0] * 9 + [1] + [0] + [9])):
        pixels = frames(*levels)
        pixels[::2, 0, 0] += 1  # else equal frames of a GIF would become one that is shown for longer
        first, *others = map(Image.fromarray, pixels)
        folder = root / label / "folder"
        folder.mkdir(parents=True)
        first.save(root / label / "animation.gif", save_all=True, append_images=others, duration=40)
        for number, picture in enumerate([first, *others], start=1):
            picture.save(folder / f"frame{number}.png")
    return root


def answers(path: Path, *levels: int) -> list[str]:
    with load(path) as classifier:
        return [answer.label for answer in classifier(frames(*levels)).frames]


def test_what_was_seen_earlier_counts_in_both_forms(stream: Path, window: Path) -> None:
    levels = (0, 1, 0, 0, 2, 0)
    expected = ["dark", "dark", "dark", "dark", "light", "light"]
    assert answers(stream, *levels) == answers(window, *levels) == expected


def test_a_stream_remembers_and_a_window_forgets(stream: Path, window: Path) -> None:
    levels = (3, 0, 0, 0, 0, 0)
    found = {}
    for path in (stream, window):
        with load(path) as classifier:
            watched = classifier.watch()
            found[path] = [watched.next(frame).label for frame in frames(*levels)]
    assert found[stream] == ["light"] * 6
    # It was trained on windows of 5 frames, and the sixth does not see the first.
    assert found[window] == ["light"] * 5 + ["dark"]


def test_two_streams_do_not_share_what_they_remember(stream: Path) -> None:
    with load(stream) as classifier:
        one, other = classifier.watch(), classifier.watch()
        assert one.next(frames(5)[0]).label == "light"
        assert other.next(frames(0)[0]).label == "dark"


def test_a_window_of_fixed_length_stands_before_the_first_frame_as_well(tmp_path: Path) -> None:
    path = write_window(tmp_path / "fixed.onnx", 3)
    # The first frame is taken for those before it: 3 x 1.
    assert answers(path, 1) == ["light"]
    assert answers(path, 0, 0, 0, 1, 2) == ["dark", "dark", "dark", "dark", "light"]


def test_of_every_so_many_frames_one_is_looked_at(tmp_path: Path) -> None:
    path = write_window(tmp_path / "every.onnx", every=3)
    with load(path) as classifier:
        answer = classifier(frames(0, 9, 9, 0, 9, 9, 3, 9))
        watched = classifier.watch()
        shown = [watched.next(frame).label for frame in frames(0, 9, 9, 3, 9)]
    assert [row["frame"] for row in answer.to_rows()] == [0, 3, 6]
    assert [row["label"] for row in answer.to_rows()] == ["dark", "dark", "light"]
    assert answer.frames_until(1) == 7
    assert shown == ["dark", "dark", "dark", "light", "light"]


def test_frames_until_right_are_those_after_which_it_stays_right(stream: Path) -> None:
    with load(stream) as classifier:
        answer = classifier(frames(0, 3, 0))
    assert answer.frames_until(1) == 2
    assert answer.frames_until(0) is None
    answer.scores[:] = [[0, 1], [1, 0], [0, 1]]
    assert answer.frames_until(1) == 3
    answer.scores[:] = [[0, 1]] * 3
    assert answer.frames_until(1) == 1


def test_a_clip_is_a_path_an_array_or_an_iterator_and_several_are_a_list(stream: Path, clips: Path) -> None:
    with load(stream) as classifier:
        folder, animation = classifier([clips / "light" / "folder", clips / "light" / "animation.gif"])
        drawn = classifier(iter(frames(0, 3)))
        assert folder.compare(animation)["agreement"] == 100
        assert [answer.label for answer in folder.frames] == ["dark"] * 11 + ["light"]
        assert drawn.label == "light"
        assert np.asarray(drawn).shape == (2, 2)
        with pytest.raises(InputError, match="no frames"):
            classifier(iter([]))
        with pytest.raises(InputError, match="'nowhere' does not exist"):
            classifier("nowhere")


def test_answers_are_written(stream: Path, tmp_path: Path) -> None:
    with load(stream) as classifier:
        answer = classifier(frames(0, 3))
    answer.save(tmp_path / "answer.csv")
    assert (tmp_path / "answer.csv").read_text().splitlines()[0] == "frame,label,probability"
    answer.save(tmp_path / "answer.json")
    assert json.loads((tmp_path / "answer.json").read_text())["label"] == "light"


@pytest.mark.parametrize("packed", [False, True])
def test_clips_are_found_in_class_folders_and_zips(clips: Path, tmp_path: Path, packed: bool) -> None:
    source = clips
    if packed:
        source = tmp_path / "clips.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for file in clips.rglob("*.*"):
                archive.write(file, Path("wrapped", "test", file.relative_to(clips)))
    data = ClipFolder(source)
    assert data.class_names == LABELS
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.splits == (("test",) if packed else ())
    for index, name in enumerate(data.names):
        levels = [int(frame.mean()) for frame in data.frames(index)]
        assert levels == ([0] * 12 if "dark" in name else [0] * 9 + [1, 0, 9]), name


def test_pictures_without_folders_of_their_own_are_no_clips(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "alone.png")
    with pytest.raises(DatasetError, match="holds no clips: each is a folder of frames, or a file"):
        ClipFolder(tmp_path)


def test_it_is_evaluated_with_how_soon_it_is_right(stream: Path, clips: Path) -> None:
    (clips / "dark" / "broken.gif").write_bytes(b"GIF89a, or is it?")
    report = evaluate(stream, clips, quiet=True)
    assert (report.images, report.top1, report.f1) == (4, 100.0, 100.0)
    assert report.confusion == ((2, 0), (0, 2))
    assert report.frames_until_right == {"dark": 1.0, "light": 12.0}
    assert report.mean_frames_until_right == 6.5
    assert "dark/broken.gif" in report.failures
    assert str(clips) in report.failures["dark/broken.gif"]
    assert "right after 6.5 frames" in report.headline()
    assert "frames until right: 6.5; dark 1.0, light 12.0" in report.table()


def test_the_verb_prints_a_line_a_frame(stream: Path, clips: Path, edgevision: Any) -> None:
    light = clips / "light"
    code, out, _ = edgevision(
        "run", "sequence", light / "folder", light / "animation.gif", "--model", stream, "--json", "--top", 2
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert lines[-1]["end"]
    assert [source["frames"] for source in lines[-1]["sources"]] == [12, 12]
    for name in ("folder", "animation.gif"):
        own = [line["predictions"][0]["label"] for line in lines[:-1] if line["source"].endswith(name)]
        assert own == ["dark"] * 11 + ["light"]


def test_the_verb_shows_label_and_probability_over_time(
    stream: Path, clips: Path, tmp_path: Path, edgevision: Any
) -> None:
    clip, drawn = clips / "light" / "animation.gif", tmp_path / "drawn.gif"
    code, out, _ = edgevision("run", "sequence", clip, "--model", stream, "-o", drawn)
    assert code == 0
    assert "11  0.440 s  light 100.0 %" in out
    with Image.open(drawn) as animation:
        assert animation.size == (SIDE, SIDE)


def test_what_is_wrong_is_said(tmp_path: Path, stream: Path, edgevision: Any) -> None:
    code, _, err = edgevision("run", "sequence", tmp_path / "nowhere.gif", "--model", stream)
    assert code == 2
    assert "does not exist" in err
    (tmp_path / "broken.gif").write_bytes(b"no GIF")
    code, _, err = edgevision("run", "sequence", tmp_path / "broken.gif", "--model", stream)
    assert code == 2
    assert "cannot be read as an animation" in err


def test_a_model_ships_that_tells_what_a_digit_does(tmp_path: Path, edgevision: Any) -> None:
    bar = np.zeros((32, 32), np.uint8)
    bar[10:22, 2:5] = 200
    for step in range(16):
        Image.fromarray(np.roll(bar, step, axis=1)).save(tmp_path / f"{step}.png")
    code, out, err = edgevision("run", "sequence", tmp_path)
    assert code == 0
    assert out.splitlines()[-1].startswith("15 ")
    assert "moves right" in out.splitlines()[-1]
    assert "the model that ships for sequence finds which of ten motions a digit makes" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"states": ()}, r"a window is \(batch, frames, channels, h, w\)"),
        ({"states": (StateSpec(input="sun", output="next_sum"),)}, r"spec.states.input is \['sun'\]"),
        ({"states": (StateSpec(input="sum", output="logits"),)}, r"spec.states.output is \['logits'\]"),
        (
            {"states": (StateSpec(input="sum", output="next_sum", delay=0),)},
            "spec.states.delay is 0, .* to 256",
        ),
        ({"labels": ("one", "two", "three")}, "its graph has 2 outputs for these 3 labels"),
        ({"frames": 0}, r"spec.frames is 0, but it has to be 1 to 4,096"),
    ],
)
def test_metadata_that_do_not_fit_the_graph_are_refused(stream: Path, change: Any, message: str) -> None:
    write_stream(stream, **change)
    with pytest.raises(ModelFileError, match=message):
        load(stream)


def test_a_clip_that_is_too_long_for_a_window_is_refused_before_memory_is_full(window: Path, stream: Path) -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield frames(0)[0]

    with load(window) as classifier, pytest.raises(InputError, match=r"more than 1024 frames.*--part stream"):
        classifier(endless())
    with load(stream) as classifier:
        assert isinstance(classifier, SequenceClassifier)
        assert len(classifier(iter(frames(*[0] * 1030))).scores) == 1030
