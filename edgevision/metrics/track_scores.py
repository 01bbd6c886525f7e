"""How good tracks are: CLEAR MOT, identity scores and HOTA, of boxes that are known against those that were found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevision.metrics.assignment import best_pairs

LEAST_OVERLAP = 0.5
"""IoU from which on a box counts as found, in all but HOTA, which is a mean over 0.05 to 0.95."""

_EPSILON = float(np.finfo(np.float64).eps)
_ALPHAS = np.arange(0.05, 0.99, 0.05)


@dataclass(frozen=True, eq=False)
class FramePair:
    """What is in one frame and what was found there.

    Attributes:
        true, found: the index of each box's track, int64 (N,) and (M,), counted from 0 over the whole sequence.
        overlap: float64 (N, M), the IoU of the boxes.
    """

    true: NDArray[np.int64]
    found: NDArray[np.int64]
    overlap: NDArray[np.float64]


def track_scores(frames: Sequence[FramePair]) -> dict[str, float]:
    """All figures of a sequence; shares are 0..1 (MOTA may be less), counts are counts.

    ``mota``, ``motp``, ``switches``, ``fragments``, ``misses``, ``false_alarms``, ``mostly_tracked``, ``mostly_lost``
    (Bernardin & Stiefelhagen 2008), ``idf1``, ``idp``, ``idr`` (Ristani et al. 2016), ``hota``, ``deta``, ``assa``,
    ``loca`` (Luiten et al. 2021).

    Raises:
        MissingExtraError: SciPy is not installed.
    """
    return clear_scores(frames) | identity_scores(frames) | hota_scores(frames)


def _track_counts(frames: Sequence[FramePair]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """In how many frames each true track and each found one is."""
    true = np.concatenate([frame.true for frame in frames]) if frames else np.zeros(0, np.int64)
    found = np.concatenate([frame.found for frame in frames]) if frames else np.zeros(0, np.int64)
    return np.bincount(true), np.bincount(found)


def clear_scores(frames: Sequence[FramePair]) -> dict[str, float]:
    """CLEAR MOT: boxes are paired frame by frame, those of the last frame before others."""
    lengths, found_lengths = _track_counts(frames)
    partner = np.full(len(lengths), -1)  # the last one, from however long ago
    last_frame = np.full(len(lengths), -1)  # of the frame before alone
    seen, begun = np.zeros(len(lengths), int), np.zeros(len(lengths), int)
    hits = switches = 0
    overlap_sum = 0.0
    for frame in frames:
        if not len(frame.true) or not len(frame.found):
            continue
        goes_on = last_frame[frame.true][:, None] == frame.found[None]
        near = frame.overlap >= LEAST_OVERLAP - _EPSILON
        pairs = best_pairs(np.where(near, 1000.0 * goes_on + frame.overlap, 0.0), _EPSILON)
        true, found = frame.true[pairs[:, 0]], frame.found[pairs[:, 1]]
        switches += int(((partner[true] >= 0) & (partner[true] != found)).sum())
        partner[true] = found
        was_there = last_frame >= 0
        last_frame = np.full(len(lengths), -1)
        last_frame[true] = found
        begun += ~was_there & (last_frame >= 0)
        seen[true] += 1
        hits += len(pairs)
        overlap_sum += float(frame.overlap[pairs[:, 0], pairs[:, 1]].sum())
    misses, false_alarms = int(lengths.sum()) - hits, int(found_lengths.sum()) - hits
    share = seen[lengths > 0] / lengths[lengths > 0]
    return {
        "mota": (hits - false_alarms - switches) / max(1, hits + misses),
        "motp": overlap_sum / max(1, hits),
        "switches": switches,
        "fragments": int((begun[begun > 0] - 1).sum()),
        "misses": misses,
        "false_alarms": false_alarms,
        "mostly_tracked": int((share > 0.8).sum()),
        "mostly_lost": int((share < 0.2).sum()),
    }


def identity_scores(frames: Sequence[FramePair]) -> dict[str, float]:
    """Each true track goes with one found track over the whole sequence, so that most boxes are shared."""
    lengths, found_lengths = _track_counts(frames)
    shared = np.zeros((len(lengths), len(found_lengths)))
    for frame in frames:
        row, column = np.nonzero(frame.overlap >= LEAST_OVERLAP)
        np.add.at(shared, (frame.true[row], frame.found[column]), 1)
    pairs = best_pairs(shared, 1)
    both = float(shared[pairs[:, 0], pairs[:, 1]].sum())
    true, found = int(lengths.sum()), int(found_lengths.sum())
    return {"idf1": 2 * both / max(1, true + found), "idp": both / max(1, found), "idr": both / max(1, true)}


def hota_scores(frames: Sequence[FramePair]) -> dict[str, float]:
    """HOTA: the geometric mean of finding and of keeping apart, the mean over how exact a box has to be."""
    return HotaOfFrames(frames).scores()


class HotaOfFrames:
    """HOTA of any of the frames: boxes are paired once, as it is best over all of them."""

    def __init__(self, frames: Sequence[FramePair]) -> None:
        lengths, found_lengths = _track_counts(frames)
        either = np.zeros((len(lengths), len(found_lengths)))
        for frame in frames:
            rest = frame.overlap.sum(axis=0)[None] + frame.overlap.sum(axis=1)[:, None] - frame.overlap
            part = np.divide(frame.overlap, rest, out=np.zeros_like(frame.overlap), where=rest > _EPSILON)
            np.add.at(either, (frame.true[:, None], frame.found[None]), part)
        alignment = either / np.maximum(lengths[:, None] + found_lengths[None] - either, _EPSILON)
        self._frames = frames
        self._pairs = [
            best_pairs(alignment[np.ix_(frame.true, frame.found)] * frame.overlap, 0)
            if len(frame.true) and len(frame.found)
            else np.zeros((0, 2), np.int64)
            for frame in frames
        ]

    def scores(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """The figures of :func:`hota_scores`, of all frames or of those that are ``chosen`` (frames,)."""
        places = [place for place in range(len(self._frames)) if chosen is None or chosen[place]]
        frames = [self._frames[place] for place in places]
        lengths, found_lengths = _track_counts(frames)
        paired = [(frame, *self._pairs[place].T) for frame, place in zip(frames, places, strict=True)]
        nothing = np.zeros(0, np.int64)
        true_track = np.concatenate([nothing, *(frame.true[row] for frame, row, _ in paired)])
        found_track = np.concatenate([nothing, *(frame.found[column] for frame, _, column in paired)])
        overlap = np.concatenate([np.zeros(0), *(frame.overlap[row, column] for frame, row, column in paired)])
        width = max(1, len(found_lengths))
        pair = true_track * width + found_track
        true, found = int(lengths.sum()), int(found_lengths.sum())
        detection, association, location = (np.zeros(len(_ALPHAS)) for _ in range(3))
        for index, alpha in enumerate(_ALPHAS):
            near = overlap >= alpha - _EPSILON
            hits = int(near.sum())
            pairs, together = np.unique(pair[near], return_counts=True)
            of_either = lengths[pairs // width] + found_lengths[pairs % width] - together
            detection[index] = hits / max(1, true + found - hits)
            association[index] = (together**2 / of_either).sum() / max(1, hits)
            location[index] = max(1e-10, float(overlap[near].sum())) / max(1e-10, hits)
        return {
            "hota": float(np.sqrt(detection * association).mean()),
            "deta": float(detection.mean()),
            "assa": float(association.mean()),
            "loca": float(location.mean()),
        }
