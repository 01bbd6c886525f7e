"""How much worse a form of a detector is than the float model by the tracks that become of its boxes on a clip."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

from edgevision.core.errors import DatasetError
from edgevision.imaging.pictures import Picture
from edgevision.metrics.track_scores import HotaOfFrames
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.quality import BROKEN, is_broken
from edgevision.runtime.tasks.loss_bound import jackknife_bound
from edgevision.runtime.tasks.quality import Quality
from edgevision.runtime.tracking.mot_files import first_frames, frame_pairs, ground_truth_of, read_mot, tracked_boxes
from edgevision.runtime.tracking.result import Tracks
from edgevision.runtime.tracking.tracker import Tracker, TrackerSettings


class TrackQuality:
    """HOTA in points, of the tracks that ``edgevision run track`` makes of a clip, against its ground truth.

    A clip has a single HOTA. How sure a loss of it is, is told by how it changes when stretches of the clip are left
    out, the same ones for both models.
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
        truth = read_mot(file)
        self._reference = self._follow(reference)
        self._frames = len(self._reference)
        last = int(truth.frames.max(initial=0))
        if last > self._frames and self._frames < most:
            raise DatasetError(
                f"{str(file)!r} has boxes in frame {last}, and {str(clip)!r} only {self._frames} frames: it belongs to"
                " another clip"
            )
        self._truth = first_frames(truth, self._frames)
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
        loss = 100 * (before["hota"] - after["hota"])
        bound = jackknife_bound(
            self._frames,
            lambda out: 100 * (reference.scores(~out)["hota"] - hota.scores(~out)["hota"]),
            unseen=100 / len(self._truth.ids),
        )
        if is_broken(sum(map(len, self._reference)), boxes):
            loss, bound = max(loss, BROKEN), None
        figures = {name: 100 * after[name] for name in ("hota", "deta", "assa")}
        return Quality(figures=figures | {"boxes": float(boxes)}, loss=loss, bound=bound)

    def _follow(self, engine: Engine) -> list[Tracks]:
        detector, tracker = Detector(engine, self._metadata, min_score=TrackerSettings().low), Tracker()
        with open_source(str(self._clip), Excerpt()) as source:
            return [tracker(detector(Picture(frame.pixels))) for frame in islice(source.frames(), self._most)]

    @cached_property
    def _reference_hota(self) -> HotaOfFrames:
        return self._hota(self._reference)

    def _hota(self, tracks: Sequence[Tracks]) -> HotaOfFrames:
        return HotaOfFrames(frame_pairs(self._truth, tracked_boxes(tracks), self._frames))
