"""Tracks as MOT Challenge files have them: ``frame,id,x,y,width,height,score,class,visibility`` a line, from 1."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.core.printable import shortened
from edgevision.core.regular_files import open_regular
from edgevision.metrics.assignment import best_pairs
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.track_scores import LEAST_OVERLAP, FramePair
from edgevision.runtime.tracking.result import Tracks

_MOST_FRAMES = 10_000_000
_GREATEST_ID = 1 << 53
"""Above it not every whole number is a float64."""

_SCORED, _DISTRACTORS = 1, (2, 7, 8, 12)
"""MOT Challenge's classes: pedestrians; and people on vehicles, those who stand, what looks alike, and reflections."""


class TrackedBoxes(NamedTuple):
    """All boxes of a sequence.

    Attributes:
        frames: int64 (N,), from 1.
        ids: int64 (N,).
        boxes: float64 (N, 4), x1, y1, x2, y2.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> "TrackedBoxes":
        """Those that are ``chosen`` (N,)."""
        return TrackedBoxes(self.frames[chosen], self.ids[chosen], self.boxes[chosen])


class GroundTruth(NamedTuple):
    """What is true of a sequence.

    Attributes:
        scored: the boxes that a tracker has to find.
        every: these and all others.
        distractor: bool, of ``every`` box whether it is of what a tracker may take for a thing to find.
    """

    scored: TrackedBoxes
    every: TrackedBoxes
    distractor: NDArray[np.bool_]

    def without_distractors(self, found: TrackedBoxes) -> TrackedBoxes:
        """``found`` but for what goes with a distractor, where all boxes of a frame are paired at once."""
        kept = np.ones(len(found.ids), np.bool_)
        true_rows, found_rows = _by_frame(self.every.frames), _by_frame(found.frames)
        for frame in np.unique(self.every.frames[self.distractor]).tolist():
            if frame in found_rows:
                mine, theirs = true_rows[frame], found_rows[frame]
                overlap = intersection_over_union(self.every.boxes[mine], found.boxes[theirs])
                row, column = best_pairs(overlap, LEAST_OVERLAP).T
                kept[theirs[column[self.distractor[mine[row]]]]] = False
        return found.where(kept)


def mot_lines(frame: int, tracks: Tracks) -> str:
    """The lines of one frame, which is counted from 1 here; what has no area in hundredths of a pixel has none."""
    lines = []
    for number, score, (x1, y1, x2, y2) in zip(
        tracks.ids, tracks.found.scores, tracks.found.boxes.tolist(), strict=True
    ):
        width, height = f"{x2 - x1:.2f}", f"{y2 - y1:.2f}"
        if float(width) > 0 and float(height) > 0:
            lines.append(f"{frame},{number},{x1:.2f},{y1:.2f},{width},{height},{float(score):.4f},-1,-1,-1\n")
    return "".join(lines)


def read_mot(path: Path) -> TrackedBoxes:
    """The boxes of a file.

    Raises:
        DatasetError: it cannot be read, a line is none of these, a box has no area, or a track has two boxes in a
            frame; it is named.
    """
    return _boxes(path, _rows(path))


def read_ground_truth(path: Path) -> GroundTruth:
    """What is true by a file: to be scored where column 7 is not 0, and of nine columns the eighth, the class, is 1.

    Where there are ten, as in MOT15, the last three are a place in the world or nothing, and there are no classes.

    Raises:
        DatasetError: as :func:`read_mot`.
    """
    rows = _rows(path)
    every = _boxes(path, rows)
    marked = np.array([row[6] != 0 if len(row) >= 9 else True for row in rows], np.bool_)
    classes = np.array([row[7] if len(row) == 9 else _SCORED for row in rows])
    return GroundTruth(every.where(marked & (classes == _SCORED)), every, np.isin(classes, _DISTRACTORS))


def _rows(path: Path) -> list[tuple[float, ...]]:
    """The numbers of each line that is not empty."""
    rows = []
    try:
        with open_regular(path) as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = tuple(float(field) for field in line.split(","))
        except ValueError:
            row = ()
        numbers = all(map(math.isfinite, row[:6])) and all(number.is_integer() for number in row[:2])
        if len(row) < 6 or not numbers or not 1 <= row[0] <= _MOST_FRAMES or abs(row[1]) > _GREATEST_ID:
            raise DatasetError(
                f"line {number} of {str(path)!r} is not frame,id,x,y,width,height,...: {shortened(line)}"
            )
        if min(row[4:6]) <= 0:
            raise DatasetError(
                f"line {number} of {str(path)!r} has a box {row[4]:g} wide and {row[5]:g} high; both must be above 0:"
                " mend the line or leave it out"
            )
        rows.append(row)
    return rows


def _boxes(path: Path, rows: Sequence[tuple[float, ...]]) -> TrackedBoxes:
    seen: set[tuple[float, ...]] = set()
    for row in rows:
        if row[:2] in seen:
            raise DatasetError(f"{str(path)!r} has id {row[1]:g} twice in frame {row[0]:g}")
        seen.add(row[:2])
    table = np.array([row[:6] for row in rows], np.float64).reshape(-1, 6)
    corner, size = table[:, 2:4], table[:, 4:6]
    return TrackedBoxes(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), np.concatenate([corner, corner + size], axis=1)
    )


def ground_truth_of(clip: Path) -> Path:
    """Where it stands what is in a video or a folder of frames: ``gt.txt`` or ``gt/gt.txt``, in there or beside it.

    Raises:
        DatasetError: there is no such clip, or no such file.
    """
    if not clip.exists():
        raise DatasetError(f"{str(clip)!r} does not exist; name a video or a folder of frames")
    folders = (clip, clip.parent) if clip.is_dir() else (clip.parent,)
    places = [folder / name for folder in folders for name in ("gt.txt", "gt/gt.txt")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DatasetError(
            f"{str(clip)!r} has no ground truth: write its boxes to {str(places[-2])!r}, a line each:"
            " frame,id,x,y,width,height (MOT Challenge), the first frame being 1"
        )
    return found


def first_frames(boxes: TrackedBoxes, frames: int) -> TrackedBoxes:
    """The boxes of so many frames, from the first on."""
    return boxes.where(boxes.frames <= frames)


def tracked_boxes(tracks: Sequence[Tracks]) -> TrackedBoxes:
    """What was found in each frame, in order."""
    return TrackedBoxes(
        np.repeat(np.arange(1, len(tracks) + 1), [len(one) for one in tracks]),
        np.concatenate([np.zeros(0, np.int64), *(one.ids for one in tracks)]),
        np.concatenate([np.zeros((0, 4)), *(one.found.boxes for one in tracks)]),
    )


def frame_pairs(true: TrackedBoxes, found: TrackedBoxes, frames: int = 0) -> list[FramePair]:
    """Both sequences frame by frame, their tracks counted from 0: every frame that one of them has, and ``frames``."""
    _, true_index = np.unique(true.ids, return_inverse=True)
    _, found_index = np.unique(found.ids, return_inverse=True)
    last = max([frames, *true.frames.tolist(), *found.frames.tolist()])
    true_rows, found_rows = _by_frame(true.frames), _by_frame(found.frames)
    nothing = np.zeros(0, np.int64)
    pairs = []
    for frame in range(1, last + 1):
        mine, theirs = true_rows.get(frame, nothing), found_rows.get(frame, nothing)
        overlap = intersection_over_union(true.boxes[mine], found.boxes[theirs])
        pairs.append(FramePair(true_index[mine], found_index[theirs], overlap))
    return pairs


def _by_frame(frames: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    order = np.argsort(frames, kind="stable")
    numbers, starts = np.unique(frames[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=False))
