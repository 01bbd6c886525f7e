"""MOT files, and the figures of what they hold; those named trackeval's are its 1.3.0's on the same boxes."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from edgevision.core.errors import DatasetError
from edgevision.metrics.track_scores import track_scores
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.mot_files import TrackedBoxes, frame_pairs, mot_lines, read_ground_truth, read_mot
from edgevision.runtime.tracking.result import Tracks


def sequence(seed, *, drop, swap_at=None):
    """Three things on their ways over 40 frames, of whose boxes a share is dropped and the rest is moved."""
    generator = np.random.default_rng(seed)
    rows = []
    for frame in range(1, 41):
        for number in range(3):
            x, y = 10 + 5 * frame * (number + 1) / 2, 30 + 40 * number
            if generator.random() < drop:
                continue
            shift = generator.normal(0, 3 if drop else 0, 4)
            ids = number + 1 if swap_at is None or frame < swap_at else (number + 1) % 3 + 1
            rows.append((frame, ids, *(np.array([x, y, x + 30, y + 25]) + shift)))
    table = np.array(rows)
    return TrackedBoxes(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:])


def test_there_and_back(tmp_path):
    boxes = np.array([[1, 2, 11.5, 22], [3, 4, 5, 6]], np.float32)
    found = Detections(boxes, np.array([0.5, 0.25], np.float32), np.zeros(2, np.int64), size=(50, 50))
    path = tmp_path / "tracks.txt"
    path.write_text(mot_lines(7, Tracks(found, np.array([3, 9]), np.ones(2, bool))))
    assert path.read_text().splitlines()[0] == "7,3,1.00,2.00,10.50,20.00,0.5000,-1,-1,-1"
    read = read_mot(path)
    assert (read.frames.tolist(), read.ids.tolist()) == ([7, 7], [3, 9])
    assert np.allclose(read.boxes, boxes)


def test_what_has_no_area_is_not_written():
    boxes = np.array([[1, 2, 1.004, 22], [3, 4, 3, 4], [3, 4, 5, 6]], np.float32)
    found = Detections(boxes, np.ones(3, np.float32), np.zeros(3, np.int64), size=(50, 50))
    assert mot_lines(7, Tracks(found, np.array([1, 2, 3]), np.ones(3, bool))).startswith("7,3,3.00,4.00,2.00,2.00,")


def test_a_file_of_windows_may_say_that_it_is_utf_8(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_bytes(b"\xef\xbb\xbf1,4,0,0,9,9\r\n")
    assert read_mot(path).ids.tolist() == [4]


def test_of_a_ground_truth_what_is_to_be_scored(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,1,0,0,9,9,1,1,0.5\n1,2,0,0,9,9,0,1,1\n1,3,0,0,9,9,1,7,1\n\n2,1,0,0,9,9,1,-1,-1,-1\n")
    truth = read_ground_truth(path)
    assert truth.scored.ids.tolist() == [1, 1]
    assert truth.every.ids.tolist() == [1, 2, 3, 1] == read_mot(path).ids.tolist()
    # Ten columns end in a place in the world.
    path.write_text("1,1,0,0,9,9,1,-14.06,-4.9,0\n1,2,0,0,9,9,0,3.1,1,0\n1,3,0,0,9,9,1,2,8,0\n")
    assert read_ground_truth(path).scored.ids.tolist() == [1, 3]
    assert not read_ground_truth(path).distractor.any()


def test_what_is_found_of_a_distractor_counts_for_nothing(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,1,0,0,9,9,1,1,1\n1,2,50,0,9,9,0,8,1\n1,3,90,0,9,9,0,3,1\n2,2,50,0,9,9,0,8,1\n")
    boxes = np.array([[0, 0, 9, 9], [51, 0, 60, 9], [90, 0, 99, 9], [20, 0, 29, 9], [53, 0, 62, 9]], float)
    found = TrackedBoxes(np.array([1, 1, 1, 1, 3]), np.array([1, 2, 3, 4, 2]), boxes)
    # Of a vehicle it is false, and so it is in a frame without the distractor.
    assert read_ground_truth(path).without_distractors(found).boxes[:, 0].tolist() == [0, 90, 20, 53]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,1,0,0,9\n", "line 1"),
        ("1,1,0,0,9,9\nx\n", "line 2"),
        ("0,1,0,0,9,9\n", "line 1"),
        ("1,1,0,0,nan,9\n", "line 1"),
        ("1,1,0,0,9,9\n1.5,1,0,0,9,9\n", "line 2"),
        ("1,1.2,0,0,9,9\n", "line 1"),
        ("1,1e30,0,0,9,9\n", "line 1"),
        ("1,1,0,0,9,9\n1,1,3,3,9,9\n", "id 1 twice in frame 1"),
        ("1,1,0,0,9,9\n2,1,0,0,-4,9\n", r"line 2 of '.*gt.txt' has a box -4 wide and 9 high; both must be above 0"),
        ("1,1,0,0,9,0,1,-1,-1,-1\n", r"line 1 of .* has a box 9 wide and 0 high; .* mend the line or leave it out"),
    ],
)
def test_what_is_no_mot_file(tmp_path, text, reason):
    (tmp_path / "gt.txt").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_mot(tmp_path / "gt.txt")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_mot(tmp_path / "none.txt")


def test_a_perfect_result():
    true = sequence(0, drop=0)
    scores = track_scores(frame_pairs(true, true))
    assert {scores[name] for name in ("mota", "motp", "idf1", "idp", "idr", "hota", "deta", "assa", "loca")} == {1.0}
    assert scores["switches"] == scores["misses"] == scores["false_alarms"] == scores["fragments"] == 0


def test_nothing_found_and_nothing_there():
    true, nothing = sequence(0, drop=0), TrackedBoxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)))
    assert track_scores(frame_pairs(true, nothing))["misses"] == 120
    assert track_scores(frame_pairs(nothing, true))["false_alarms"] == 120
    assert track_scores(frame_pairs(true, nothing))["hota"] == 0


TRACKEVAL = {
    "mota": 0.6916666666666667,
    "motp": 0.7499518597767965,
    "switches": 3.0,
    "fragments": 23.0,
    "misses": 29.0,
    "false_alarms": 5.0,
    "mostly_tracked": 0.0,
    "mostly_lost": 0.0,
    "idf1": 0.49074074074074076,
    "idp": 0.5520833333333334,
    "idr": 0.44166666666666665,
    "hota": 0.3560064779506713,
    "deta": 0.5658093265339527,
    "assa": 0.22509780517476669,
    "loca": 0.7847791799780218,
}


def test_the_figures_are_those_of_trackeval():
    pairs = frame_pairs(sequence(0, drop=0), sequence(1, drop=0.2, swap_at=25))
    assert track_scores(pairs) == pytest.approx(TRACKEVAL, rel=1e-12, abs=1e-12)


TRACKEVAL_OF_MOT17 = {
    "MOT17-02": {
        "mota": 0.6818181818181818,
        "motp": 0.6095153534146172,
        "switches": 9.0,
        "fragments": 7.0,
        "misses": 16.0,
        "false_alarms": 3.0,
        "mostly_tracked": 7.0,
        "mostly_lost": 0.0,
        "idf1": 0.7361963190184049,
        "idp": 0.8,
        "idr": 0.6818181818181818,
        "hota": 0.45735609065279054,
        "deta": 0.4995120757907831,
        "assa": 0.4239554670028805,
        "loca": 0.7218804903105513,
    },
    "MOT17-04": {
        "mota": 0.7351190476190477,
        "motp": 0.610162380820741,
        "switches": 15.0,
        "fragments": 43.0,
        "misses": 61.0,
        "false_alarms": 13.0,
        "mostly_tracked": 24.0,
        "mostly_lost": 0.0,
        "idf1": 0.75,
        "idp": 0.8125,
        "idr": 0.6964285714285714,
        "hota": 0.46333055404959,
        "deta": 0.5030528100571378,
        "assa": 0.4285277786593433,
        "loca": 0.7216421387548545,
    },
}


def disturbed(true):
    """What a tracker might find: every seventh box is missing, all are moved, and a third of the tracks break."""
    number = np.arange(len(true.ids))
    sides = np.tile(true.boxes[:, 2:] - true.boxes[:, :2], 2)
    moved = true.boxes + 0.2 * sides * np.sin(number[:, None] * 4 + np.arange(4))
    broken = (true.frames > true.frames.max() // 2) & (true.ids % 3 == 0)
    kept = number % 7 != 3
    return TrackedBoxes(true.frames[kept], np.where(broken, true.ids + 1000, true.ids)[kept], moved[kept])


@pytest.mark.parametrize("name", TRACKEVAL_OF_MOT17)
def test_the_figures_of_mot17_are_those_of_trackeval(shared, name):
    """trackeval read both files and prepared them as it does those of MOT17: what is not to be scored is left out."""
    true = read_ground_truth(shared / "data/video/mot17_mini" / name / "gt/gt.txt").scored
    scores = track_scores(frame_pairs(true, disturbed(true)))
    assert scores == pytest.approx(TRACKEVAL_OF_MOT17[name], rel=1e-12, abs=1e-12)
