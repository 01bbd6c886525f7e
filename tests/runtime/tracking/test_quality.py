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
from edgevision.runtime.tasks.loss_bound import jackknife_bound
from edgevision.runtime.tracking.mot_files import TrackedBoxes, frame_pairs, ground_truth_of
from edgevision.runtime.tracking.quality import TrackQuality, independent_samples

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
    # After 7 frames a thing has left where it was by more than half.
    assert quality.bound.pictures == 6
    assert quality.bound.error == 0
    # One thing more that is lost for so long, of 80 boxes, is what nobody has seen.
    assert quality.bound.unseen == pytest.approx(100 / (2 * FRAMES) * FRAMES / 6)


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


def moving(steps, side=20.0):
    """One thing that moves by each of ``steps`` from frame to frame."""
    left = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.stack([left, 0 * left, left + side, 0 * left + side], axis=1)
    return TrackedBoxes(np.arange(1, len(left) + 1), np.ones(len(left), np.int64), places)


def test_frames_in_which_nothing_has_moved_are_one_sample():
    assert independent_samples(moving([0] * 99), 100).tolist() == [0] * 100
    assert independent_samples(moving([10] * 4), 5).tolist() == [0, 1, 2, 3, 4]
    assert independent_samples(moving([0, 0, 0, 9, 0, 0]), 7).tolist() == [0, 0, 0, 0, 1, 1, 1]
    # What comes or goes is new, and frames without anything are alike.
    assert independent_samples(moving([0, 0]), 6).tolist() == [0, 0, 0, 1, 1, 1]
    assert independent_samples(TrackedBoxes(*(array[:0] for array in moving([0]))), 3).tolist() == [0, 0, 0]


def test_a_clip_without_motion_proves_nothing_however_long_it_is(clip):
    truth = ground_truth_of(clip)
    truth.write_text("".join(f"{frame + 1},1,0,5,20,15,1,1,1\n" for frame in range(FRAMES)))
    quality = TrackQuality(FINDER, detector(), clip, 1000)(detector())
    assert quality.loss == 0
    assert quality.bound.pictures == 1
    assert quality.at_most > 100


@pytest.mark.parametrize("dwell", [1, 8, 40])
def test_a_bound_holds_where_things_dwell(dwell):
    """At each place a thing is lost with the same odds, and stays lost while it is there."""
    generator = np.random.default_rng(0)
    places = 400 // dwell
    samples = np.repeat(np.arange(places), dwell)

    def bounds(known):
        """In how many of 400 clips the true loss, 30 %, is within what the bound says."""
        within = 0
        for _ in range(400):
            lost = 100.0 * np.repeat(generator.random(places) < 0.3, dwell)
            unseen = 100 / places if known else 100 / len(lost)
            bound = jackknife_bound(
                400,
                lambda out, lost=lost: float(lost[~out].mean()),
                unseen=unseen,
                samples=samples if known else None,
            )
            within += lost.mean() + bound.reach >= 30
        return within / 400

    assert bounds(known=True) >= 0.93
    if dwell == 40:
        assert bounds(known=False) < 0.93


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
