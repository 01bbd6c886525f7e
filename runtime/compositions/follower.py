"""A detector that knows its things again: called on frames in order, it gives tracks."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.runtime.compositions.composite import Composite
from edgevision.runtime.load import ModelPath, load
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.detection.task import DETECT
from edgevision.runtime.tracking.appearance import Describe, Looks
from edgevision.runtime.tracking.result import Tracks
from edgevision.runtime.tracking.tracker import Tracker, TrackerSettings


class Follower(Composite):
    """Boxes of a detector, joined over the frames of one source; call it on each frame in order."""

    def __init__(
        self,
        detector: Detector,
        *,
        settings: TrackerSettings | None = None,
        classes: Sequence[str] = (),
        trail: int = 0,
        appearance: Describe | None = None,
    ) -> None:
        """Use ``detector``, which it closes in turn.

        Args:
            settings: when boxes are one thing.
            classes: which are followed; all without.
            trail: for how many frames behind is kept where a thing was.
            appearance: says how things look, so that they are known by that, too.
        """
        super().__init__(detector=detector)
        self._detector = detector
        self._tracker, self._classes, self._trail = Tracker(settings), tuple(classes), trail
        self._appearance = appearance
        self._ways: dict[int, deque[tuple[float, float]]] = {}

    def __call__(self, frame: ImageSource, steps: int = 1) -> Tracks:
        """The tracks in the next frame, which comes ``steps`` frames after the last one.

        Raises:
            ImageError: the frame cannot be read.
            DeviceError: the device failed.
        """
        pixels = None if self._appearance is None else to_array(read_image(frame))
        found = self._detector(frame if pixels is None else pixels)
        if self._classes:
            found = found.of_classes(self._classes)
        looks = None if self._appearance is None or pixels is None else self._appearance(pixels, found.boxes)
        return self.follow(found, steps, looks)

    def follow(self, found: Detections, steps: int = 1, looks: Looks | None = None) -> Tracks:
        """As a call, of boxes that were found already, and maybe of how they look."""
        tracks = self._tracker(found, steps, looks)
        if self._trail:
            here = set(tracks.ids.tolist())
            self._ways = {number: way for number, way in self._ways.items() if number in here}
            centers = (tracks.found.boxes[:, :2] + tracks.found.boxes[:, 2:]) / 2
            for number, (x, y) in zip(tracks.ids.tolist(), centers.tolist(), strict=True):
                self._ways.setdefault(number, deque(maxlen=self._trail)).append((x, y))
            tracks.trails = {number: list(way) for number, way in self._ways.items()}
        return tracks


def open_follower(
    device: str = "cpu",
    *,
    detector: ModelPath | None = None,
    classes: Sequence[str] = (),
    settings: TrackerSettings | None = None,
    trail: int = 0,
    appearance: Describe | None = None,
    **options: Any,
) -> Follower:
    """A :class:`Follower` with a detection model, by default the one that ships; the other options are its own."""
    settings = settings or TrackerSettings()
    options = {"min_score": settings.low} | options
    pipeline = load(detector or shipped_model(DETECT.name), device, task=DETECT.name, **options)
    return Follower(pipeline, settings=settings, classes=classes, trail=trail, appearance=appearance)
