"""Association alone: boxes that are known, some dropped and all moved a little, joined to tracks again.

    python benchmarks/tracking.py gt.txt [--drop 0.1] [--jitter 0.03] [--seeds 3] [--size 1024x1024]
    python benchmarks/tracking.py gt.txt --clip clip.mp4 --gap 20        # also by colours, and hidden for 20 frames

Beside edgevision's tracker stand a plain one, which gives a box to the last box that it overlaps most, and norfair
where it is installed. Time is CPU time of one thread for each frame, for the association alone, of which all take 50
frames in turn; with 95 % intervals over these turns. With --gap each thing is also hidden for so many frames in a row,
one in ten of its frames altogether.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from edgevision.metrics.assignment import best_pairs
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.track_scores import track_scores
from edgevision.runtime.benchmark.timing import InterleavedRuns, TimedRuns
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.appearance import color_histograms
from edgevision.runtime.tracking.mot_files import TrackedBoxes, frame_pairs, read_ground_truth
from edgevision.runtime.tracking.tracker import Tracker

_TURN = 50
"""How many frames a tracker gets before it is the next one's turn; times are of whole turns."""

Associate = Callable[[np.ndarray, np.ndarray | None], list[tuple[int, np.ndarray]]]
"""From the boxes of the next frame, and its pixels where they are known, to pairs of id and box."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--drop", type=float, default=0.1)
    parser.add_argument("--jitter", type=float, default=0.03, help="of a box's sides")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", default="1024x1024")
    parser.add_argument("--gap", type=int, default=0)
    parser.add_argument("--clip", type=Path)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    truth = read_ground_truth(arguments.truth).scored
    trackers: dict[str, Callable[[], Associate]] = {
        "edgevision": lambda: ours((height, width)),
        "plain overlap": plain_overlap,
    }
    if arguments.clip is not None:
        trackers["edgevision, colours"] = lambda: ours((height, width), by_colors=True)
    try:
        import norfair  # noqa: F401

        trackers |= {
            "norfair, IoU": lambda: by_norfair("iou"),
            "norfair, distance": lambda: by_norfair("mean_euclidean"),
        }
    except ImportError:
        print("norfair is not installed and left out")
    print(f"{'tracker':<20}{'seed':>5}{'IDF1':>8}{'HOTA':>8}{'MOTA':>8}{'switches':>9}")
    times = InterleavedRuns({name: TimedRuns() for name in trackers})
    for seed in range(arguments.seeds):
        frames = zip(damaged_boxes(truth, arguments, seed), clip_frames(arguments.clip), strict=False)
        for name, found in tracked(frames, {name: make() for name, make in trackers.items()}, times, seed).items():
            scores = track_scores(frame_pairs(truth, found))
            figures = "".join(f"{scores[figure]:8.4f}" for figure in ("idf1", "hota", "mota"))
            print(f"{name:<20}{seed:>5}{figures}{scores['switches']:9.0f}")
    print(f"{'tracker':<20}{'ms/frame':>9}{'95 %':>18}{'times as long as edgevision':>30}{'95 %':>16}")
    for name in trackers:
        spent, longer = times.latency(name), times.speedup("edgevision", over=name)
        ratio = f"{longer.ratio:30.2f}{longer.low:8.2f} to {longer.high:.2f}"
        print(f"{name:<20}{spent.value:9.3f}{spent.low:9.3f} to {spent.high:.3f}{ratio}")


def damaged_boxes(truth: TrackedBoxes, how: argparse.Namespace, seed: int) -> Iterator[np.ndarray]:
    """The boxes of each frame, in any order, without those that are dropped or hidden, moved a little."""
    generator = np.random.default_rng(seed)
    last = int(truth.frames.max())
    hidden = {
        (number, frame)
        for number in np.unique(truth.ids).tolist()
        if how.gap
        for begin in generator.choice(last, last // 10 // how.gap, replace=False).tolist()
        for frame in range(begin, begin + how.gap)
    }
    for frame in range(1, last + 1):
        here = truth.frames == frame
        here &= np.array([(number, frame) not in hidden for number in truth.ids.tolist()]) if hidden else True
        boxes = truth.boxes[here]
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        boxes = boxes + generator.normal(0, how.jitter, boxes.shape) * sides
        yield generator.permutation(boxes[generator.random(len(boxes)) >= how.drop]).astype(np.float32)


def tracked(
    frames: Iterator[tuple[np.ndarray, np.ndarray | None]],
    trackers: dict[str, Associate],
    times: InterleavedRuns[str],
    seed: int,
) -> dict[str, TrackedBoxes]:
    """What each tracker makes of the boxes; how long it takes for each frame is added to ``times``."""
    order = np.random.default_rng(seed)
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in trackers}
    first = 1
    while turn := list(itertools.islice(frames, _TURN)):
        for name in order.permutation(list(trackers)).tolist():
            spent = []
            for frame, content in enumerate(turn, first):
                began = time.process_time_ns()
                answer = trackers[name](*content)
                spent.append(time.process_time_ns() - began)
                rows[name] += [(frame, number, *box) for number, box in answer]
            if len(turn) == _TURN:
                times.timed[name].blocks.append(sum(spent))
                times.timed[name].rounds.append(_TURN)
        first += _TURN
    tables = {name: np.array(found, np.float64).reshape(-1, 6) for name, found in rows.items()}
    return {
        name: TrackedBoxes(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])
        for name, table in tables.items()
    }


def clip_frames(clip: Path | None) -> Iterator[np.ndarray | None]:
    """The frames of the clip, or nothing for each."""
    if clip is None:
        yield from itertools.repeat(None)
        return
    with open_source(str(clip), Excerpt()) as source:
        for frame in source.frames():
            yield frame.pixels


def ours(size: tuple[int, int], *, by_colors: bool = False) -> Associate:
    """edgevision's tracker as it is by default, or with ``--appearance histogram``."""
    best_pairs(np.ones((1, 1)), 0)  # imports what solves it, as that of others is imported already
    tracker = Tracker()

    def associate(boxes: np.ndarray, pixels: np.ndarray | None) -> list[tuple[int, np.ndarray]]:
        count = len(boxes)
        looks = color_histograms(pixels, boxes) if by_colors and pixels is not None else None
        found = Detections(boxes, np.full(count, 0.9, np.float32), np.zeros(count, np.int64), size=size)
        tracks = tracker(found, looks=looks)
        return list(zip(tracks.ids.tolist(), tracks.found.boxes, strict=True))

    return associate


def plain_overlap() -> Associate:
    """Each box goes to the free last box that it overlaps most, from 0.3 on; a track lives as long as it is seen."""
    last: dict[int, np.ndarray] = {}
    count = 0

    def associate(boxes: np.ndarray, _: np.ndarray | None) -> list[tuple[int, np.ndarray]]:
        nonlocal last, count
        ids = list(last)
        overlap = intersection_over_union(boxes, np.array([last[number] for number in ids]).reshape(-1, 4))
        answer = {}
        for row, column in sorted(np.ndindex(overlap.shape), key=lambda pair: -overlap[pair]):
            if overlap[row, column] >= 0.3 and row not in answer and ids[column] not in answer.values():
                answer[row] = ids[column]
        for row in range(len(boxes)):
            if row not in answer:
                count += 1
                answer[row] = count
        last = {number: boxes[row] for row, number in answer.items()}
        return [(number, boxes[row]) for row, number in answer.items()]

    return associate


def by_norfair(distance: str) -> Associate:
    """norfair with its Kalman filter, and the thresholds of its own examples."""
    import norfair

    threshold = {"iou": 0.7, "mean_euclidean": 100}[distance]
    tracker = norfair.Tracker(distance_function=distance, distance_threshold=threshold, initialization_delay=0)

    def associate(boxes: np.ndarray, _: np.ndarray | None) -> list[tuple[int, np.ndarray]]:
        objects = tracker.update([norfair.Detection(box.reshape(2, 2)) for box in boxes])
        return [(known.id, known.estimate.reshape(4)) for known in objects if known.id is not None]

    return associate


if __name__ == "__main__":
    main()
