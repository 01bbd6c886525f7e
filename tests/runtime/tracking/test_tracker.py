"""Boxes that move become tracks with ids that stay."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.box_motion import BoxMotion
from edgevision.runtime.tracking.tracker import Tracker, TrackerSettings

SIZE = (200, 400)


def found(*boxes, scores=None, classes=None):
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32) if scores is None else np.array(scores, np.float32),
        np.zeros(count, np.int64) if classes is None else np.array(classes, np.int64),
        size=SIZE,
        labels=("car", "dog"),
    )


def box(x, y=50, side=20):
    return (x, y, x + side, y + side)


def test_things_that_pass_each_other_keep_their_ids():
    tracker = Tracker()
    for frame in range(60):
        left, right = box(20 + 3 * frame), box(200 - 3 * frame, 58)
        boxes = (left, right) if frame % 2 else (right, left)
        tracks = tracker(found(*boxes))
        place = {int(number): row for number, row in zip(tracks.ids, tracks.found.boxes.tolist(), strict=True)}
        if frame == 0:
            ids = {number: "left" if x1 < 100 else "right" for number, (x1, *_) in place.items()}
        assert set(place) == set(ids)
        for number, way in ids.items():
            assert np.allclose(place[number], left if way == "left" else right, atol=2.5)


def test_a_thing_that_hides_comes_back_as_itself():
    tracker = Tracker(TrackerSettings(patience=10))
    for frame in range(10):
        tracks = tracker(found(box(20 + 4 * frame)))
    for frame in range(10, 16):
        tracks = tracker(found())
        assert len(tracks) == (1 if frame < 15 else 0), "it is shown through short gaps only"
    tracks = tracker(found(box(20 + 4 * 16)))
    assert tracks.ids.tolist() == [1]
    for _ in range(12):
        tracker(found())
    tracker(found(box(300)))
    assert tracker(found(box(300))).ids.tolist() == [2]


def test_where_it_is_expected_while_it_is_not_seen():
    tracker = Tracker()
    for frame in range(20):
        tracker(found(box(20 + 4 * frame)))
    tracks = tracker(found())
    assert tracks.seen.tolist() == [False]
    assert np.allclose(tracks.found.boxes[0], box(100), atol=1.5)
    assert tracks.to_dict()["tracks"][0]["seen"] is False


def test_a_low_score_goes_on_with_a_track_and_begins_none():
    tracker = Tracker()
    tracker(found(box(50)))
    tracks = tracker(found(box(52), box(150), scores=[0.2, 0.3]))
    assert tracks.ids.tolist() == [1]
    assert tracks.seen.tolist() == [True]
    assert tracker(found(box(54), box(150), scores=[0.2, 0.3])).ids.tolist() == [1]


def test_what_is_seen_once_is_no_track():
    tracker = Tracker()
    tracker(found(box(50)))
    assert tracker(found(box(50), box(150))).ids.tolist() == [1]
    assert tracker(found(box(50))).ids.tolist() == [1]
    assert tracker(found(box(50), box(150))).ids.tolist() == [1]
    assert tracker(found(box(50), box(150))).ids.tolist() == [1, 3]


def test_a_track_is_of_one_class():
    tracker = Tracker()
    tracker(found(box(50)))
    tracks = tracker(found(box(50), classes=[1]))
    assert tracks.names == ("car",)
    assert tracks.seen.tolist() == [False]


def test_dropped_frames_are_steps():
    tracker, late = Tracker(), Tracker()
    for frame in range(10):
        tracks = tracker(found(box(20 + 6 * frame)))
        late_tracks = late(found(box(20 + 6 * frame)))
    for frame in (14, 18, 22):
        late_tracks = late(found(box(20 + 6 * frame)), steps=4)
    assert late_tracks.ids.tolist() == tracks.ids.tolist() == [1]


def test_no_boxes_at_all():
    tracker = Tracker()
    for _ in range(3):
        assert len(tracker(found())) == 0


def test_the_filter_is_the_one_with_eight_states():
    """The same numbers as with full matrices (Kalman 1960)."""
    generator = np.random.default_rng(0)
    motion = BoxMotion()
    first = np.array([[10.0, 20, 40, 80]])
    motion.add(first)
    size = 60.0
    state = np.array([25.0, 50, 30, 60, 0, 0, 0, 0])
    covariance = np.diag([(2 / 20 * size) ** 2] * 4 + [(10 / 160 * size) ** 2] * 4)
    step = np.eye(8) + np.eye(8, k=4)
    look = np.eye(4, 8)
    for _ in range(5):
        size = max(state[2], state[3])
        noise = np.diag([(size / 40) ** 2] * 4 + [(size / 160) ** 2] * 4)
        state, covariance = step @ state, step @ covariance @ step.T + noise
        motion.step()
        size = max(state[2], state[3])
        seen = state[:4] + generator.normal(0, 3, 4)
        gain = covariance @ look.T @ np.linalg.inv(look @ covariance @ look.T + np.eye(4) * (size / 20) ** 2)
        state, covariance = state + gain @ (seen - look @ state), (np.eye(8) - gain @ look) @ covariance
        half = seen[2:] / 2
        motion.see(np.array([0]), np.concatenate([seen[:2] - half, seen[:2] + half])[None])
        assert np.allclose(motion.position[0], state[:4])
        assert np.allclose(motion.velocity[0], state[4:])
        assert np.allclose(motion.variance[0, 0], np.diag(covariance)[:4])


def test_tracks_are_drawn_and_written(tmp_path):
    tracker = Tracker()
    tracks = tracker(found(box(50), box(150), classes=[0, 1]))
    tracks.trails = {1: [(10.0, 100.0), (60.0, 60.0)]}
    picture = np.asarray(tracks.draw(np.zeros((*SIZE, 3), np.uint8)))
    assert picture[80, 35].any()
    assert picture[50, 60].any()
    tracks.save(tmp_path / "tracks.csv")
    assert (tmp_path / "tracks.csv").read_text().splitlines()[0].startswith("id,label,score")
    assert repr(tracks) == "Tracks(car 1, dog 2)"
