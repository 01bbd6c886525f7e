"""The points of the things in a picture."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.metrics.box_overlap import box_areas
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec

_SURE = 0.8
"""Mean score of a thing's points. Of 466 faces that were held out, each in its box and in one that was moved by up to a
fifth, the least was 0.88; of 127 photographs of ImageNet's classes, hardly any of a person, 119 had less than 0.8."""

_ROOM = 6.0
"""Pixels from one point to the next, from which on each has a dot of its own."""


class Keypoints:
    """The points of each thing in one picture; ``numpy.asarray`` gives them as (N, K, 3): x, y, score.

    Attributes:
        points: float32 (N, K, 3), x and y in pixels of the picture, outside of it too, where x of its left edge is 0,
            and how visible the point is, 0..1.
        boxes: float32 (N, 4), x1, y1, x2, y2 of each thing, as it was looked at, without the margin.
        scores: float32 (N,), 0..1: the mean of the points' scores, times that of the box where a detector found it.
        classes: int64 (N,), what each thing is, an index into ``labels``.
        labels: what things are called.
        size: (height, width) of the picture.
        spec: the points' names, which are joined, which count as visible.
    """

    __slots__ = ("boxes", "classes", "labels", "points", "scores", "size", "spec")

    def __init__(
        self,
        points: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        *,
        spec: KeypointsSpec,
        size: tuple[int, int],
        classes: NDArray[np.int64] | None = None,
        labels: tuple[str, ...] = (),
    ) -> None:
        if not len(points) == len(boxes) == len(scores):
            raise ValueError(f"there are {len(boxes)} boxes, {len(scores)} scores and points of {len(points)}")
        self.points, self.boxes, self.scores, self.size, self.spec = points, boxes, scores, size, spec
        self.classes = np.zeros(len(boxes), np.int64) if classes is None else classes
        self.labels = labels or (spec.thing,)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """bool (N, K): the points whose score is large enough."""
        return np.asarray(self.points[:, :, 2] >= self.spec.min_score)

    @property
    def doubtful(self) -> NDArray[np.bool_]:
        """bool (N,): things whose points are so little sure that they may be of something else, or badly cut out.

        Only a head with distributions can tell.
        """
        if self.spec.head is None or not self.spec.head.has_distributions:
            return np.zeros(len(self), bool)
        return np.asarray(self.points[:, :, 2].mean(axis=1) < _SURE)

    @property
    def names(self) -> tuple[str, ...]:
        """What each thing is."""
        return tuple(self.name_of(int(index)) for index in self.classes)

    def name_of(self, index: int) -> str:
        """What a class is called."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def point_name(self, index: int) -> str:
        """What a point is called."""
        names = self.spec.point_names
        return names[index] if index < len(names) else f"point {index}"

    def chosen(self, rows: NDArray[Any]) -> "Keypoints":
        """Some of the things: ``rows`` are indices, or one truth value for each."""
        return Keypoints(
            self.points[rows],
            self.boxes[rows],
            self.scores[rows],
            spec=self.spec,
            size=self.size,
            classes=self.classes[rows],
            labels=self.labels,
        )

    def of_classes(self, names: Sequence[str]) -> "Keypoints":
        """Those of some classes, by name."""
        return self.chosen(np.isin(np.array(self.names, object), list(names)))

    def to_dict(self) -> dict[str, Any]:
        """The picture's size and a dictionary for each thing."""
        height, width = self.size
        return {
            "width": width,
            "height": height,
            "point_names": [self.point_name(index) for index in range(self.points.shape[1])],
            "things": [
                {
                    "label": self.names[row],
                    "score": round(float(self.scores[row]), 4),
                    "box": [round(float(value), 2) for value in self.boxes[row]],
                    "points": [[round(float(x), 2), round(float(y), 2), round(float(s), 4)] for x, y, s in points],
                }
                for row, points in enumerate(self.points)
            ],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """A line for each point: which thing, the point's name, x, y, score."""
        return [
            {
                "thing": row,
                "label": self.names[row],
                "point": self.point_name(index),
                "x": round(float(x), 2),
                "y": round(float(y), 2),
                "score": round(float(score), 4),
            }
            for row, points in enumerate(self.points)
            for index, (x, y, score) in enumerate(points)
        ]

    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]:
        """COCO's results for one picture; a point's third number is 2 where it counts as visible, else 0."""
        results = []
        for row, (points, seen) in enumerate(zip(self.points, self.visible, strict=True)):
            x1, y1, x2, y2 = self.boxes[row].tolist()
            triples = [
                (round(float(x), 2), round(float(y), 2), 2 if known else 0)
                for (x, y, _), known in zip(points, seen, strict=True)
            ]
            results.append(
                {
                    "image_id": image_id,
                    "category_id": int(self.classes[row]),
                    "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
                    "keypoints": [number for triple in triples for number in triple],
                    "num_keypoints": int(seen.sum()),
                    "score": round(float(self.scores[row]), 5),
                }
            )
        return results

    def draw(self, picture: ImageSource) -> Picture:
        """``picture`` with the visible points and what joins them; their boxes where there are several things."""
        from edgevision.imaging.drawing import Marker, class_color
        from edgevision.runtime.tasks.keypoints.point_colors import point_colors

        image = Image.fromarray(to_array(read_image(picture)))
        if image.size != self.size[::-1]:
            raise ValueError(f"the picture is {image.size}, and the points are of one of {self.size[::-1]}")
        side = float(np.median(np.sqrt(box_areas(self.boxes)))) if len(self) else None
        # As many points as there are share the box: a mark must leave room for those beside it.
        room = None if side is None else side / max(1.0, float(np.sqrt(self.points.shape[1])))
        marker = Marker(image, side, room)
        joined = {end for pair in self.spec.skeleton for end in pair}
        # On a small thing dots would hide it: there the lines say where the points are.
        dots = [index for index in range(self.points.shape[1]) if room is None or room >= _ROOM or index not in joined]
        colors = [class_color(index) for index in point_colors(self.spec, self.points.shape[1])]
        for row in range(len(self)):
            points, seen = self.points[row], self.visible[row]
            if len(self) > 1:
                x1, y1, x2, y2 = self.boxes[row].tolist()
                marker.box((x1, y1, x2, y2), class_color(int(self.classes[row])))
            for one, other in self.spec.skeleton:
                if seen[one] and seen[other]:
                    marker.line_between(points[one], points[other], colors[other])
            for index in (index for index in dots if seen[index]):
                marker.points([points[index]], colors[index])
        return Picture.read(marker.image)

    def crops(self, picture: ImageSource) -> list[Picture]:
        """What is inside of each box, of ``picture``."""
        from edgevision.runtime.tasks.detection.result import Detections

        boxes = np.clip(self.boxes, 0, np.tile(self.size[::-1], 2).astype(np.float32))
        return Detections(boxes, self.scores, self.classes, size=self.size, labels=self.labels).crops(picture)

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the points as .json or .csv; raises as :func:`.save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        save_text(path, self.to_dict(), self.to_rows(), force=force)

    def compare(self, reference: "Keypoints") -> dict[str, float]:
        """``nme`` in percent: how far visible points are from those of the same things, as the model measures errors.

        Raises:
            ValueError: they are of pictures of different sizes, or of different things.
        """
        from edgevision.metrics.keypoint_errors import error_scale, normalised_errors

        if self.size != reference.size or self.points.shape != reference.points.shape:
            raise ValueError(
                f"points of the same things are compared, not {self.points.shape} in {self.size} and"
                f" {reference.points.shape} in {reference.size}"
            )
        errors = []
        for found, truth, box, seen in zip(
            self.points.astype(float), reference.points.astype(float), reference.boxes, reference.visible, strict=True
        ):
            if not seen.any():
                continue
            scale = error_scale(truth[:, :2], seen, box.astype(float), self.spec.scale_points)
            errors.append(float(normalised_errors(found[:, :2], truth[:, :2], seen, scale).mean()))
        return {"nme": 100 * float(np.mean(errors)) if errors else 0.0}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return requested_array(self.points, dtype, copy, shared=True)

    def __repr__(self) -> str:
        return f"Keypoints({len(self)} of {self.points.shape[1]} points)"
