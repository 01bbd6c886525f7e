"""A detector judged by its tracks on a clip: a form that loses things or moves their boxes is worse."""

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

pytest.importorskip("scipy")

from edgevision.core.errors import DatasetError
from edgevision.metrics.track_scores import HotaOfFrames, hota_scores
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Field, HeadSpec, OutputPart
from edgevision.runtime.tracking.mot_files import TrackedBoxes, frame_pairs, ground_truth_of
from edgevision.runtime.tracking.quality import TrackQuality

FRAMES = 40
HEAD = HeadSpec(parts=(OutputPart(outputs=("rows",), fields=(Field.BOX, Field.SCORE)),))
FINDER = ModelMetadata(
    task="detect",
    name="finder",
    image=ImageSpec(size=(60, 120)),
    spec=DetectionSpec(head=HEAD, labels=("car",)),
)


def boxes(frame):
    """Two things that pass each other in rows of their own, as float32 (2, 4)."""
    return np.array([[frame, 5, frame + 20, 20], [90 - frame, 35, 110 - frame, 50]], np.float32)


def found(frame, *, shift=0.0, without=()):
    """What is found in a frame, one of the things not in the frames ``without``; no more than the score is exact."""
    kept = boxes(frame)[1 if frame in without else 0 :] + np.float32(shift)
    return np.concatenate([kept, np.full((len(kept), 1), 0.9, np.float32)], axis=1)


def detector(**how):
    """It tells by the brightness of a frame which one it is."""

    def answer(inputs):
        brightness = float(inputs["image"].mean()) * 255
        return [found(round(brightness / 5), **how)[None]]

    return FakeEngine(
        (TensorSpec(name="image", shape=(1, 3, 60, 120)),),
        (TensorSpec(name="rows", shape=(1, "n", 5)),),
        answer,
    )


@pytest.fixture
def clip(tmp_path):
    folder = tmp_path / "street"
    (folder / "img1").mkdir(parents=True)
    lines = []
    for frame in range(FRAMES):
        Image.new("RGB", (120, 60), (5 * frame,) * 3).save(folder / "img1" / f"{frame + 1:06}.png")
        for number, (x1, y1, x2, y2) in enumerate(boxes(frame), start=1):
            lines.append(f"{frame + 1},{number},{x1},{y1},{x2 - x1},{y2 - y1},1,1,1\n")
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text("".join(lines))
    return folder


def test_a_form_that_finds_the_same_loses_nothing(clip):
    quality = TrackQuality(FINDER, detector(), clip, 1000)(detector())
    assert quality.loss == 0
    assert quality.figures["hota"] > 95
    # One thing more that is lost, of 80, is what nobody has seen.
    assert quality.bound.pictures == FRAMES
    assert quality.bound.error == 0
    assert quality.bound.unseen == 100 / (2 * FRAMES)


@pytest.mark.parametrize("damage", [{"shift": 3.0}, {"without": range(10, 30)}])
def test_a_damaged_form_is_judged_worse(clip, damage):
    measure = TrackQuality(FINDER, detector(), clip, 1000)
    quality = measure(detector(**damage))
    assert quality.loss > 5
    assert quality.loss == pytest.approx(measure(detector()).figures["hota"] - quality.figures["hota"])
    assert quality.at_most > quality.loss


def test_what_is_lost_in_one_stretch_alone_is_less_sure_than_what_is_lost_everywhere(clip):
    measure = TrackQuality(FINDER, detector(), clip, 1000)
    here, everywhere = measure(detector(without=range(10, 20))), measure(detector(shift=2.0))
    assert here.bound.error / here.loss > 2 * everywhere.bound.error / everywhere.loss


def test_a_form_that_finds_nothing_any_more_is_broken(clip):
    quality = TrackQuality(FINDER, detector(), clip, 1000)(detector(shift=500.0))
    assert quality.loss == 100
    assert quality.bound is None


def test_no_more_frames_are_looked_at_than_asked_for(clip):
    engine = detector()
    TrackQuality(FINDER, engine, clip / "img1", 12)
    assert engine.calls == 12


def test_a_clip_without_its_own_ground_truth_is_refused(clip):
    truth = ground_truth_of(clip)
    assert truth == ground_truth_of(clip / "img1") == clip / "gt" / "gt.txt"
    truth.write_text("41,1,5,5,20,20,1,1,1\n")
    with pytest.raises(DatasetError, match=r"frame 41, and .* only 40 frames: it belongs to another clip"):
        TrackQuality(FINDER, detector(), clip, 1000)
    truth.write_text("1,1,5,5,20,20,0,1,1\n")
    with pytest.raises(DatasetError, match="no box that is to be scored"):
        TrackQuality(FINDER, detector(), clip, 1000)
    truth.unlink()
    with pytest.raises(DatasetError, match=r"no ground truth: write its boxes to '.*gt\.txt'"):
        TrackQuality(FINDER, detector(), clip, 1000)
    with pytest.raises(DatasetError, match="does not exist"):
        TrackQuality(FINDER, detector(), Path("nowhere.mp4"), 1000)


def test_a_float_model_that_finds_nothing_of_a_clip_cannot_be_judged_by_it(clip):
    with pytest.raises(DatasetError, match="so that no form of it can be worse"):
        TrackQuality(FINDER, detector(shift=-300.0), clip, 1000)


def test_hota_of_chosen_frames_is_that_of_a_clip_of_them():
    rows = [(frame, number, box) for frame in range(20) for number, box in enumerate(boxes(frame))]
    frames, ids, places = (np.array(column) for column in zip(*rows, strict=True))
    true = TrackedBoxes(frames + 1, ids, places.astype(float))
    moved = true._replace(boxes=true.boxes + np.random.default_rng(0).normal(0, 2, true.boxes.shape))
    pairs = frame_pairs(true, moved, 25)
    assert len(pairs) == 25
    chosen = np.arange(25) % 3 > 0
    alone = [pair for pair, one in zip(pairs, chosen, strict=True) if one]
    assert HotaOfFrames(pairs).scores(chosen) == pytest.approx(hota_scores(alone))
