"""Detection: pictures in, boxes in their pixels out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from edgevision.core.errors import ModelFileError, NotFiniteError
from edgevision.core.progress import track_parts
from edgevision.imaging.images import read_image
from edgevision.imaging.picture_sources import ArrayColor, ImageSource
from edgevision.imaging.preprocessing import Placement
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.detection.decoding import Candidates, candidates, rows_are_nan
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Merge
from edgevision.runtime.tasks.detection.suppression import merge_overlapping
from edgevision.runtime.tasks.picture_network import PictureNetwork
from edgevision.runtime.tasks.picture_pipeline import PicturePipeline
from edgevision.runtime.tasks.windows import Tile, Window, windows

_WINDOWS_IOU = 0.5
_MOST_CANDIDATES = 30_000
"""What non-maximum suppression is given at most, those of the highest scores: more come of a threshold near 0 only."""


class Detector(PicturePipeline[Detections]):
    """A detector on an engine; call it on a picture or on a list of them.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes, by their index.
        min_score, iou, most, merge: as in :class:`.DetectionSpec`; they may be changed at any time, as may the others.
        tile: the windows that are looked into beside the whole, see :mod:`.windows`; ``None`` for none.
        batch: how many pictures or windows the network gets at once at most, if it takes several.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        color: ArrayColor = "rgb",
        min_score: float | None = None,
        iou: float | None = None,
        most: int | None = None,
        merge: Merge | None = None,
        tile: Tile | None = None,
        batch: int = 1,
    ) -> None:
        """Use ``engine``, which the detector closes in turn; ``color`` is the order of channels in arrays.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input, or outputs boxes.
        """
        spec = metadata.spec_as(DetectionSpec)
        if metadata.image is None or spec.head is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how its outputs become boxes")
        super().__init__(engine, metadata, color)
        self._spec, self._head = spec, spec.head
        self.labels = self._spec.labels
        self.min_score = self._spec.min_score if min_score is None else min_score
        self.iou = self._spec.iou if iou is None else iou
        self.most = self._spec.most if most is None else most
        self.merge = self._spec.merge if merge is None else merge
        self.tile = tile
        self.batch = batch
        self._network = PictureNetwork(metadata, metadata.image)

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Detections]:
        starts = range(0, len(pictures), self.batch)
        groups = ([read_image(picture) for picture in pictures[start : start + self.batch]] for start in starts)
        return [answer for group in groups for answer in self._detect(group)]

    def _detect(self, images: list[Image.Image]) -> list[Detections]:
        sizes = [(image.height, image.width) for image in images]
        size = self.metadata.image.size if self.metadata.image is not None else None
        looks = [(number, window) for number, one in enumerate(sizes) for window in windows(one, self.tile, size)]
        found: list[list[Candidates]] = [[] for _ in images]
        for start in track_parts(range(0, len(looks), self.batch), "windows of the picture"):
            group = looks[start : start + self.batch]
            parts = self._candidates([window.cut(images[number]) for number, window in group])
            for (number, window), part in zip(group, parts, strict=True):
                found[number].append(_whole_things(part, window, sizes[number]))
        return [self._answers(_joined(parts), size) for parts, size in zip(found, sizes, strict=True)]

    def _candidates(self, images: list[Image.Image]) -> list[Candidates]:
        """What may be an answer in each picture, in its pixels."""
        tensors, places = zip(*map(self._network.tensor, images), strict=True)
        found = []
        for outputs, tensor, place in zip(self._network.run(self.engine, tensors), tensors, places, strict=True):
            height, width = tensor.shape[2:]
            rows = gather_rows(self._head, outputs, height, width)
            likely = candidates(
                self._head, rows, height, width, min_score=self.min_score, multi_label=self._spec.multi_label
            )
            if not len(likely.scores) and rows_are_nan(rows):
                raise NotFiniteError(
                    f"every score that {self.metadata.name!r} gave is NaN ({self.engine.name} on {self.engine.device});"
                    " try a float32 export or another --device"
                )
            found.append(_in_picture(likely, place))
        return found

    def _answers(self, found: Candidates, size: tuple[int, int]) -> Detections:
        boxes, scores, classes, points, _ = found
        if len(scores) > _MOST_CANDIDATES:
            best = np.argsort(-scores, kind="stable")[:_MOST_CANDIDATES]
            boxes, scores, classes = boxes[best], scores[best], classes[best]
            points = None if points is None else points[best]
        # What a network has merged itself comes again with each window.
        iou = _WINDOWS_IOU if self.iou is None and self.tile is not None else self.iou
        if iou is None:
            rows = np.argsort(-scores, kind="stable")[: self.most]
            boxes, scores, points = boxes[rows], scores[rows], None if points is None else points[rows]
        else:
            apart = classes if self._spec.class_wise else None
            rows, boxes, scores, points = merge_overlapping(
                boxes, scores, apart, points, iou=iou, most=self.most, merge=self.merge
            )
        classes = classes[rows]
        height, width = size
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        seen = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # in the padding there is nothing
        return Detections(
            boxes[seen],
            scores[seen],
            classes[seen],
            size=size,
            labels=self.labels,
            points=None if points is None else points[seen],
            skeleton=self._spec.skeleton,
        )


def _whole_things(found: Candidates, window: Window, size: tuple[int, int]) -> Candidates:
    """What was ``found`` in a window of a picture of ``size``, in pixels of that.

    What it cuts through is left out: that is whole in a neighbour, or in the whole picture.
    """
    whole = ~window.cuts(found.boxes, size)
    place = np.array([window.left, window.top], np.float32)
    points = found.points
    if points is not None:
        points = points[whole]
        points[:, :, :2] += place
    return Candidates(found.boxes[whole] + np.tile(place, 2), found.scores[whole], found.classes[whole], points)


def _joined(parts: list[Candidates]) -> Candidates:
    """All of several."""
    if len(parts) == 1:
        return parts[0]
    boxes, scores, classes, points, _ = zip(*parts, strict=True)
    together = None if points[0] is None else np.concatenate(points)
    return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes), together)


def _in_picture(found: Candidates, place: Placement) -> Candidates:
    """From pixels of the network's input to those of the picture that lies there."""
    scale, offset = (np.array(pair, np.float32) for pair in place)
    boxes = ((found.boxes.reshape(-1, 2, 2) - offset) / scale).reshape(-1, 4)
    points = found.points
    if points is not None:
        xy = (points[:, :, :2] - offset) / scale
        points = np.concatenate([xy, points[:, :, 2:]], axis=2).astype(np.float32)
    return found._replace(boxes=boxes, points=points)
