"""Boxes of one frame after the other become tracks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.assignment import best_pairs
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
        settings = self._settings
        self._motion.step(steps)
        self._unseen += steps
        boxes = found.boxes.astype(np.float64)
        same_class = self._classes[:, None] == found.classes[None, :]
        overlap = intersection_over_union(self._motion.boxes, boxes) * same_class
        alike = np.zeros_like(overlap) if looks is None or self._looks is None else self._looks @ looks.T
        high = found.scores >= settings.high
        low = (found.scores >= settings.low) & ~high
        partner = np.full(len(found), -1, np.int64)
        free = np.ones(len(self._ids), bool)

        def pair(tracks: NDArray[np.bool_], candidates: NDArray[np.bool_], may: NDArray[np.bool_]) -> None:
            """Join ``tracks`` and ``candidates`` that are left, among the pairs (tracks, boxes) that ``may`` be one."""
            rows, columns = tracks & free, candidates & (partner < 0)
            if not (rows.any() and columns.any()):
                return
            among = np.where(may & rows[:, None] & columns, overlap + settings.look * alike, 0.0)
            for row, column in best_pairs(among, _LEAST).tolist():
                partner[column] = row
                free[row] = False

        may = overlap >= settings.overlap
        if looks is not None:
            # What was lost may have turned round meanwhile, and another stand where it is expected.
            may &= (self._unseen <= steps)[:, None] | (alike >= settings.other_look)
        pair(self._confirmed, high, may)
        # What was lost is not found again by a box that might be anything.
        pair(self._confirmed & (self._unseen <= steps), low, overlap >= settings.low_overlap)
        if looks is not None:
            near = self._motion.distances(boxes) <= settings.reach
            pair(self._confirmed, high, near & same_class & (alike >= settings.same_look))
        pair(~self._confirmed, high, overlap >= settings.first_overlap)
        matched = np.flatnonzero(partner >= 0)
        rows = partner[matched]
        self._motion.see(rows, boxes[matched])
        self._unseen[rows] = 0
        self._scores[rows] = found.scores[matched]
        self._confirmed[rows] = True
        if looks is not None and self._looks is not None:
            self._looks[rows] = _unit(_REMEMBERED * self._looks[rows] + (1 - _REMEMBERED) * looks[matched])
        self._forget()
        begun = np.flatnonzero((partner < 0) & (found.scores >= settings.begin))
        if len(begun):
            self._begin(boxes[begun], found.classes[begun], found.scores[begun])
            if looks is not None:
                known = looks[:0] if self._looks is None else self._looks
                self._looks = np.concatenate([known, looks[begun]])
        self._frames += 1
        return self._shown(found)

    def _shown(self, found: Detections) -> Tracks:
        """The tracks that are told of, by id, where they are by all that was seen of them so far."""
        height, width = found.size
        boxes = np.minimum(np.maximum(self._motion.boxes, 0), (width, height, width, height))
        seen = self._unseen == 0
        told = self._confirmed & (self._unseen <= self._settings.coast) & (seen | (box_areas(boxes) > 0))
        rows = np.flatnonzero(told)  # they are in the order of their ids
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

    def _begin(self, boxes: NDArray[np.float64], classes: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        count = len(boxes)
        self._motion.add(boxes)
        self._ids = np.concatenate([self._ids, self._next + np.arange(count)])
        self._next += count
        self._classes = np.concatenate([self._classes, classes])
        self._scores = np.concatenate([self._scores, scores])
        self._unseen = np.concatenate([self._unseen, np.zeros(count, np.int64)])
        self._confirmed = np.concatenate([self._confirmed, np.full(count, self._frames == 0)])


def _unit(looks: Looks) -> Looks:
    unit: Looks = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return unit
