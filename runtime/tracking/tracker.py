"""Boxes of one frame after the other become tracks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.assignment import Pairs, best_pairs
from edgevision.metrics.box_overlap import box_areas, intersection_over_union
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.appearance import Looks
from edgevision.runtime.tracking.box_motion import BoxMotion
from edgevision.runtime.tracking.result import Tracks

_LEAST = 1e-9
"""What a pair is worth that may be one."""

_REMEMBERED = 0.9
"""How much of a track's look is kept when it is seen again: half hidden it looks otherwise."""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """When boxes are one thing.

    Attributes:
        high: from this score on a box is believed, and may begin a track.
        low: from this score on it may go on with one.
        begin: from this score on it begins one.
        overlap: least IoU with where a track is expected, for boxes that are believed.
        low_overlap: the same for the others.
        first_overlap: the same for tracks that were seen once so far.
        patience: for how many frames a track that is not seen is remembered.
        coast: for how many of them it is shown where it is expected to be.
        look: how much it counts, beside the overlap, that things look alike, where it is known how they look.
        same_look: how alike a lost track and a box look that need not overlap, within ``reach``.
        other_look: how alike they look at most that are not joined, though they overlap.
        reach: between their centres, in sizes of the track.
    """

    high: float = 0.5
    low: float = 0.1
    begin: float = 0.6
    overlap: float = 0.2
    low_overlap: float = 0.5
    first_overlap: float = 0.3
    patience: int = 30
    coast: int = 5
    look: float = 1.0
    same_look: float = 0.85
    other_look: float = 0.5
    reach: float = 3.0


class Tracker:
    """Boxes to tracks, frame by frame, after ByteTrack (Zhang et al. 2022).

    Boxes that a detector is sure of go to the tracks whose expected place they overlap most, all of them together at
    the least cost; then those that it is less sure of to the tracks that are left, as what is half hidden gets a low
    score; then what is left of the first to tracks that were seen only once; the rest begins tracks of its own. A
    track is of one class. It is shown from its second frame on, in the first frame of all at once, and through short
    gaps, where it is expected to be.

    Where it is known how things look, those that look alike go together, and what was lost is found again near where it
    is expected (Wojke et al. 2017 join both in this way).
    """

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._motion = BoxMotion()
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._classes: NDArray[np.int64] = np.zeros(0, np.int64)
        self._scores: NDArray[np.float32] = np.zeros(0, np.float32)
        self._unseen: NDArray[np.int64] = np.zeros(0, np.int64)
        self._confirmed: NDArray[np.bool_] = np.zeros(0, bool)
        self._looks: Looks | None = None
        self._next, self._frames = 1, 0

    def __call__(self, found: Detections, steps: int = 1, looks: Looks | None = None) -> Tracks:
        """The tracks in this frame, by id.

        Args:
            found: the boxes of the frame, down to low scores.
            steps: how many frames lie between this one and the last, which is more than 1 where some were dropped.
            looks: how each box looks, in all frames or in none; see :mod:`.appearance`.
        """
        self._motion.step(steps)
        self._unseen += steps
        boxes = found.boxes.astype(np.float64)
        rows, columns = self._pairs(found, boxes, steps, looks)
        self._motion.see(rows, boxes[columns])
        self._unseen[rows] = 0
        self._scores[rows] = found.scores[columns]
        self._confirmed[rows] = True
        if looks is not None and self._looks is not None:
            self._looks[rows] = _unit(_REMEMBERED * self._looks[rows] + (1 - _REMEMBERED) * looks[columns])
        if len(rows) < len(self._ids):
            self._forget()
        if len(columns) < len(found):
            fresh = found.scores >= self._settings.begin
            fresh[columns] = False
            self._begin(fresh, found, boxes, looks)
        self._frames += 1
        return self._shown(found)

    def _pairs(
        self, found: Detections, boxes: NDArray[np.float64], steps: int, looks: Looks | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which track is which box: the rows of the tracks, and the box of each."""
        same_class = self._classes[:, None] == found.classes
        overlap = intersection_over_union(self._motion.boxes, boxes) * same_class
        alike = None if looks is None or self._looks is None else self._looks @ looks.T
        worth = overlap if alike is None else overlap + self._settings.look * alike
        free, left = np.ones(len(self._ids), bool), np.ones(len(found), bool)
        joined: list[Pairs] = []
        most = min(overlap.shape)
        for tracks, candidates, may in self._stages(found, boxes, steps, overlap, same_class, alike):
            may &= (tracks & free)[:, None]
            may &= candidates & left
            joined.append(best_pairs(worth * may, _LEAST))
            most -= len(joined[-1])
            if not most:
                break
            free[joined[-1][:, 0]] = False
            left[joined[-1][:, 1]] = False
        rows, columns = np.concatenate(joined).T
        return rows, columns

    def _stages(
        self,
        found: Detections,
        boxes: NDArray[np.float64],
        steps: int,
        overlap: NDArray[np.float64],
        same_class: NDArray[np.bool_],
        alike: NDArray[np.float32] | None,
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]]:
        """What is joined one after the other: some tracks, some boxes, and which pairs (tracks, boxes) may be one.

        Each is worked out only when it is asked for, as what comes first mostly leaves nothing to join.
        """
        settings = self._settings
        high = found.scores >= settings.high
        may = overlap >= settings.overlap
        just_seen = self._unseen <= steps
        if alike is not None:
            # What was lost may have turned round meanwhile, and another stand where it is expected.
            may &= just_seen[:, None] | (alike >= settings.other_look)
        yield self._confirmed, high, may
        # What was lost is not found again by a box that might be anything.
        low = (found.scores >= settings.low) & ~high
        yield self._confirmed & just_seen, low, overlap >= settings.low_overlap
        if alike is not None:
            near = self._motion.distances(boxes) <= settings.reach
            yield self._confirmed, high, near & same_class & (alike >= settings.same_look)
        yield ~self._confirmed, high, overlap >= settings.first_overlap

    def _shown(self, found: Detections) -> Tracks:
        """The tracks that are told of, by id, where they are by all that was seen of them so far."""
        height, width = found.size
        boxes = self._motion.boxes
        np.maximum(boxes, 0, out=boxes)
        np.minimum(boxes, (width, height, width, height), out=boxes)
        seen = self._unseen == 0
        told = self._confirmed & (self._unseen <= self._settings.coast) & (seen | (box_areas(boxes) > 0))
        rows = told.nonzero()[0]  # they are in the order of their ids
        shown = Detections(
            boxes[rows].astype(np.float32),
            self._scores[rows],
            self._classes[rows],
            size=found.size,
            labels=found.labels,
        )
        return Tracks(shown, self._ids[rows], seen[rows])

    def _forget(self) -> None:
        """Tracks that are lost for too long, and those that were seen once and not again."""
        kept = (self._unseen <= self._settings.patience) & (self._confirmed | (self._unseen == 0))
        if kept.all():
            return
        self._motion.keep(kept)
        self._ids, self._classes = self._ids[kept], self._classes[kept]
        self._unseen, self._confirmed = self._unseen[kept], self._confirmed[kept]
        self._scores = self._scores[kept]
        if self._looks is not None:
            self._looks = self._looks[kept]

    def _begin(
        self, fresh: NDArray[np.bool_], found: Detections, boxes: NDArray[np.float64], looks: Looks | None
    ) -> None:
        """Tracks of the boxes that are ``fresh``."""
        count = int(fresh.sum())
        if not count:
            return
        self._motion.add(boxes[fresh])
        self._ids = np.concatenate([self._ids, self._next + np.arange(count)])
        self._next += count
        self._classes = np.concatenate([self._classes, found.classes[fresh]])
        self._scores = np.concatenate([self._scores, found.scores[fresh]])
        self._unseen = np.concatenate([self._unseen, np.zeros(count, np.int64)])
        self._confirmed = np.concatenate([self._confirmed, np.full(count, self._frames == 0)])
        if looks is not None:
            known = looks[:0] if self._looks is None else self._looks
            self._looks = np.concatenate([known, looks[fresh]])


def _unit(looks: Looks) -> Looks:
    unit: Looks = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return unit
