"""Keypoints: a picture, and where things are in it, in; their points in its pixels out."""

import os
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from edgevision.core.errors import InputError, ModelFileError
from edgevision.imaging.crops import Crop
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import (
    ArrayColor,
    Batch,
    ImageSource,
    ImageSources,
    Source,
    check_array_color,
    split_pictures,
)
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.runtime.tasks.picture_network import PictureNetwork
from edgevision.runtime.tasks.pipeline import Pipeline, require_finite

_AT_ONCE = 16
"""Things that a network looks at together, if it can."""
_LOOKS = 2
"""More looks at a whole picture: of faces that fill a half of it or less points are then found as in their boxes."""
_FARTHEST = 1e6
"""Pixels: no picture is so large, and what is drawn there still has a place."""
_SMALLEST = 8
"""Pixels: in a smaller box there is nothing to be found."""

Boxes = NDArray[np.float32]
"""(N, 4): x1, y1, x2, y2."""


class KeypointFinder(Pipeline):
    """Finds the points of things on an engine; call it on a picture or on a list of them.

    What it looks at is the whole picture, as that of one thing; or the ``boxes`` that it is called with; or those that
    its ``detector`` finds. A box is made as wide for its height as the network's input is, and grown by the margin that
    the metadata say; the whole picture is only made as wide. Where scores tell how sure the network is, it looks again
    at what it found in a whole picture, in a box round the points, and the surest look counts.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        detector: what finds the things, if there is one; it is closed in turn.
        labels: what things are called: the detector's classes.
        min_score: the least score of a point that counts as visible; it may be changed at any time.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        color: ArrayColor = "rgb",
        min_score: float | None = None,
        most: int | None = None,
        box: Sequence[float] | None = None,
        detector: "Detector | str | os.PathLike[str] | None" = None,
    ) -> None:
        """Use ``engine``, which the finder closes in turn; ``color`` is the order of channels in arrays.

        Args:
            engine: of the network.
            metadata: of the model.
            color: of arrays.
            min_score: of points; by default the model's.
            most: how many things there are at most.
            box: x1, y1, x2, y2 of the thing in every picture.
            detector: or the model that finds them, or a file of one, which then runs on the CPU.

        Raises:
            ModelFileError: the metadata does not say how the outputs become points, or the detector is no detector.
            InputError: a box and a detector.
        """
        spec = metadata.spec_as(KeypointsSpec)
        if metadata.image is None or metadata.image.size is None or spec.head is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how its outputs become points")
        if box is not None and detector is not None:
            raise InputError("a box and a detector exclude each other: either says where the things are")
        self.engine = engine
        self.metadata = metadata
        self._head = spec.head
        self._spec = spec if min_score is None else spec.updated(min_score=min_score)
        self._size = metadata.image.size
        self._fill = metadata.image.pad_value
        self._color = check_array_color(color)
        self._network = PictureNetwork(metadata, metadata.image)
        self._box = None if box is None else _checked_boxes([box])
        self._most = most
        self.detector = self._opened(detector)

    @staticmethod
    def _opened(detector: "Detector | str | os.PathLike[str] | None") -> Detector | None:
        if detector is None or isinstance(detector, Detector):
            return detector
        from edgevision.runtime.load import load

        opened: Detector = load(detector, task="detect")
        return opened

    @property
    def labels(self) -> tuple[str, ...]:
        return self.detector.labels if self.detector is not None else ()

    @property
    def min_score(self) -> float:
        return self._spec.min_score

    @min_score.setter
    def min_score(self, value: float) -> None:
        self._spec = self._spec.updated(min_score=value)

    def close(self) -> None:
        """Free the models' memory; the pipeline cannot be used any more."""
        if self.detector is not None:
            self.detector.close()
        super().close()

    @overload
    def __call__(self, images: Batch, *, boxes: Any = ...) -> list[Keypoints]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, images: ImageSource, *, boxes: ArrayLike | None = ...) -> Keypoints: ...

    @overload
    def __call__(self, images: ImageSources[Source], *, boxes: Any = ...) -> list[Keypoints]: ...

    def __call__(self, images: Any, *, boxes: Any = None) -> Keypoints | list[Keypoints]:
        """The points of the things in a picture, or in several.

        Args:
            images: a picture or several.
            boxes: (N, 4), x1, y1, x2, y2 of the things in it, in its pixels; of several pictures one such for each.

        Raises:
            ImageError: a picture cannot be decoded.
            InputError: a box without area, or outside of its picture.
            ModelFileError: the outputs are not what the metadata say of the head.
            NotFiniteError: they have NaN or Inf.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        wanted = [None] * len(pictures) if boxes is None else list(boxes) if several else [boxes]
        if len(wanted) != len(pictures):
            raise InputError(f"there are boxes for {len(wanted)} pictures, and {len(pictures)} pictures")
        found = [self._find(read_image(one), own) for one, own in zip(pictures, wanted, strict=True)]
        return found if several else found[0]

    def _find(self, image: Image.Image, boxes: ArrayLike | None) -> Keypoints:
        things, whole = self._things(image, boxes)
        pixels = Image.fromarray(to_array(image))
        table = self._in_boxes(pixels, things.boxes, 0.0 if whole else self._spec.margin)
        if whole and self._head.has_distributions:
            things.boxes, table = self._looked_at_again(pixels, things.boxes, table)
        scores = things.scores * table[:, :, 2].mean(axis=1)
        return Keypoints(
            table,
            things.boxes,
            scores.astype(np.float32),
            spec=self._spec,
            size=things.size,
            classes=things.classes,
            labels=things.labels,
        )

    def _in_boxes(self, image: Image.Image, boxes: Boxes, margin: float) -> NDArray[np.float32]:
        """The points (N, K, 3) of the things in ``boxes`` (N, 4), which are grown by ``margin``."""
        height, width = self._size
        crops = [Crop.of_box((x1, y1, x2, y2), width / height, margin) for x1, y1, x2, y2 in boxes.tolist()]
        points = [
            found for start in range(0, len(crops), _AT_ONCE) for found in self._points(image, crops[start:][:_AT_ONCE])
        ]
        return np.stack(points) if points else np.zeros((0, self._head.points, 3), np.float32)

    def _looked_at_again(
        self, image: Image.Image, boxes: Boxes, points: NDArray[np.float32]
    ) -> tuple[Boxes, NDArray[np.float32]]:
        """The box and the points of the surest look of a few, each at where the last one found points."""
        looks = [(boxes, points)]
        for _ in range(_LOOKS):
            last = looks[-1][1][:, :, :2]
            box = np.concatenate([last.min(axis=1), last.max(axis=1)], axis=1)
            if (box[:, 2:] - box[:, :2]).min() < _SMALLEST:
                break
            looks.append((box, self._in_boxes(image, box, self._spec.margin)))
        return max(looks, key=lambda look: float(look[1][:, :, 2].mean()))

    def _things(self, image: Image.Image, boxes: ArrayLike | None) -> tuple[Detections, bool]:
        """Where to look, and whether that is at the whole picture."""
        size = (image.height, image.width)
        given = self._box if boxes is None else _checked_boxes(boxes)
        if given is None and self.detector is not None:
            found = self.detector(image)
            return found.chosen(np.arange(len(found))[: self._most]), False
        whole = given is None
        table = np.array([[0, 0, image.width, image.height]], np.float32) if given is None else given
        for x1, y1, x2, y2 in table.tolist():
            if x1 >= image.width or y1 >= image.height or x2 <= 0 or y2 <= 0:
                raise InputError(
                    f"the box {x1:g},{y1:g},{x2:g},{y2:g} is outside of the picture, which is"
                    f" {image.width}x{image.height}"
                )
        table = table[: self._most]
        ones, classes = np.ones(len(table), np.float32), np.zeros(len(table), np.int64)
        return Detections(table, ones, classes, size=size, labels=(self._spec.thing,)), whole

    def _points(self, image: Image.Image, crops: list[Crop]) -> list[NDArray[np.float32]]:
        """(K, 3) of the thing in each crop, in pixels of the picture."""
        height, width = self._size
        tensors = [self._network.tensor(crop.cut_out(image, self._size, fill=self._fill))[0] for crop in crops]
        points = []
        for crop, outputs in zip(crops, self._network.run(self.engine, tensors), strict=True):
            for output in outputs.values():
                require_finite(output, self.engine)
            found = decode_points(self._head, outputs, height, width)
            found[:, :2] = np.clip(crop.to_picture(found[:, :2].astype(float)), -_FARTHEST, _FARTHEST)
            points.append(found)
        return points


def _checked_boxes(boxes: ArrayLike) -> NDArray[np.float32]:
    """(N, 4) boxes with an area."""
    try:
        table = np.asarray(boxes, np.float32)
        table = table.reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise InputError(f"boxes are rows of x1, y1, x2, y2, not {boxes!r:.60}") from error
    for x1, y1, x2, y2 in table.tolist():
        if not np.isfinite([x1, y1, x2, y2]).all() or x2 <= x1 or y2 <= y1:
            raise InputError(f"a box is x1,y1,x2,y2 with x1 < x2 and y1 < y2, not {x1:g},{y1:g},{x2:g},{y2:g}")
    return table
