"""How much worse a form of a detector is than the float model by the tracks that become of its boxes on a clip."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.imaging.pictures import Picture
from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.metrics.track_scores import LEAST_OVERLAP, HotaOfFrames
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.quality import BROKEN, is_broken
from edgevision.runtime.tasks.loss_bound import LossBound, jackknife_bound
from edgevision.runtime.tasks.quality import Quality
from edgevision.runtime.tracking.mot_files import (
    TrackedBoxes,
    first_frames,
    frame_pairs,
    ground_truth_of,
    read_ground_truth,
    tracked_boxes,
)
from edgevision.runtime.tracking.result import Tracks
from edgevision.runtime.tracking.tracker import Tracker, TrackerSettings


class TrackQuality:
    """HOTA in points, of the tracks that ``edgevision run track`` makes of a clip, against its ground truth.

    A clip has a single HOTA. How sure a loss of it is, is told by how it changes when stretches of the clip are left
    out, the same ones for both models. Frames in which nothing has moved yet are one sample, not several.
    """

    metric = "hota"
    unit = "points"
    budget = 0.5

    def __init__(self, metadata: ModelMetadata, reference: Engine, clip: Path, most: int) -> None:
        """Follow what the float model finds in the first frames of ``clip``, ``most`` at most.

        Raises:
            DatasetError: its ground truth is missing, damaged or another clip's, or the model finds nothing of it.
            InputError, ImageError, MissingExtraError: the clip cannot be read.
        """
        self._metadata, self._clip, self._most = metadata, clip, most
        file = ground_truth_of(clip)
        self._ground_truth = read_ground_truth(file)
        truth = self._ground_truth.scored
        self._reference = self._follow(reference)
        self._frames = len(self._reference)
        last = int(truth.frames.max(initial=0))
        if last > self._frames and self._frames < most:
            raise DatasetError(
                f"{str(file)!r} has boxes in frame {last}, and {str(clip)!r} only {self._frames} frames: it belongs to"
                " another clip"
            )
        self._truth = first_frames(truth, self._frames)
        self._samples = independent_samples(self._truth, self._frames)
        if not len(self._truth.ids):
            raise DatasetError(f"{str(file)!r} has no box that is to be scored in the {self._frames} frames looked at")
        if not self._reference_hota.scores()["hota"]:
            raise DatasetError(
                f"the float model finds nothing of what {str(file)!r} has, so that no form of it can be worse: give"
                " --data a clip of what it is for"
            )

    def __call__(self, engine: Engine) -> Quality:
        tracks = self._follow(engine)
        reference, hota = self._reference_hota, self._hota(tracks)
        before, after = reference.scores(), hota.scores()
        boxes = sum(map(len, tracks))
        figures = {name: 100 * after[name] for name in ("hota", "deta", "assa")} | {"boxes": float(boxes)}
        loss = 100 * (before["hota"] - after["hota"])
        if is_broken(sum(map(len, self._reference)), boxes):
            return Quality(figures=figures, loss=max(loss, BROKEN))
        samples = int(self._samples[-1]) + 1
        # One thing more may be lost for as long as it is where it is.
        unseen = 100 / len(self._truth.ids) * self._frames / samples
        bound = jackknife_bound(
            self._frames,
            lambda out: 100 * (reference.scores(~out)["hota"] - hota.scores(~out)["hota"]),
            unseen=unseen,
            samples=self._samples,
        ) or LossBound(pictures=samples, error=0.0, unseen=unseen)
        return Quality(figures=figures, loss=loss, bound=bound)

    def _follow(self, engine: Engine) -> list[Tracks]:
        detector, tracker = Detector(engine, self._metadata, min_score=TrackerSettings().low), Tracker()
        with open_source(str(self._clip), Excerpt()) as source:
            return [tracker(detector(Picture(frame.pixels))) for frame in islice(source.frames(), self._most)]

    @cached_property
    def _reference_hota(self) -> HotaOfFrames:
        return self._hota(self._reference)

    def _hota(self, tracks: Sequence[Tracks]) -> HotaOfFrames:
        found = self._ground_truth.without_distractors(tracked_boxes(tracks))
        return HotaOfFrames(frame_pairs(self._truth, found, self._frames))


def independent_samples(boxes: TrackedBoxes, frames: int) -> NDArray[np.int64]:
    """Of each frame which sample it belongs to, int64 (frames,), counted from 0.

    A new one begins where things overlap with where they were when the last one did by less than half, in the mean over
    them; what has come or gone overlaps with nothing. Until then what is found is much the same.
    """
    by_frame: list[dict[int, NDArray[np.float64]]] = [{} for _ in range(frames)]
    for frame, number, box in zip(boxes.frames.tolist(), boxes.ids.tolist(), boxes.boxes, strict=True):
        by_frame[frame - 1][number] = box
    samples = np.zeros(frames, np.int64)
    begun = by_frame[0] if frames else {}
    for place, now in enumerate(by_frame[1:], start=1):
        both = sorted(begun.keys() & now.keys())
        overlaps = [float(intersection_over_union(begun[one][None], now[one][None])[0, 0]) for one in both]
        moved = sum(overlaps) < LEAST_OVERLAP * len(begun.keys() | now.keys())
        samples[place] = samples[place - 1] + moved
        if moved:
            begun = now
    return samples
