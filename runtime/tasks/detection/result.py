"""What a detector finds in a picture."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import OutputError
from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.images import read_image
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.metrics.box_overlap import box_areas

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDINGS = ".json, .csv, or .txt for YOLO's lines"


class Detections:
    """Boxes in one picture, the highest score first; ``numpy.asarray`` gives them as (N, 6): box, score, class.

    Attributes:
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels of the picture, inside it; x1 of its left edge is 0.
        scores: float32 (N,), 0..1.
        classes: int64 (N,), the index of each class.
        labels: the classes by their index; those that the model does not name are called ``class 3``.
        points: float32 (N, P, 2) x, y, or (N, P, 3) with how visible a point is, 0..1; ``None`` without.
        size: (height, width) of the picture.
        skeleton: which points are drawn joined, by index.
    """

    __slots__ = ("boxes", "classes", "labels", "points", "scores", "size", "skeleton")

    def __init__(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        classes: NDArray[np.int64],
        *,
        size: tuple[int, int],
        labels: tuple[str, ...] = (),
        points: NDArray[np.float32] | None = None,
        skeleton: tuple[tuple[int, int], ...] = (),
    ) -> None:
        if not len(boxes) == len(scores) == len(classes):
            raise ValueError(f"there are {len(boxes)} boxes, {len(scores)} scores and {len(classes)} classes")
        self.boxes, self.scores, self.classes = boxes, scores, classes
        self.points, self.size, self.labels, self.skeleton = points, size, labels, skeleton

    @property
    def names(self) -> tuple[str, ...]:
        """What each box is of."""
        return tuple(self.name_of(int(index)) for index in self.classes)

    def name_of(self, index: int) -> str:
        """What a class is called."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def __len__(self) -> int:
        return len(self.boxes)

    def chosen(self, rows: NDArray[Any]) -> "Detections":
        """Some of them: ``rows`` are indices, or one truth value for each."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.classes[rows],
            size=self.size,
            labels=self.labels,
            points=None if self.points is None else self.points[rows],
            skeleton=self.skeleton,
        )

    def of_classes(self, names: "Sequence[str]") -> "Detections":
        """Those of some classes, by name."""
        return self.chosen(np.isin(np.array(self.names, object), list(names)))

    def to_dict(self) -> dict[str, Any]:
        """The picture's size and a dictionary for each box."""
        height, width = self.size
        return {"width": width, "height": height, "detections": [self._row(row) for row in range(len(self))]}

    def _row(self, row: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "label": self.name_of(int(self.classes[row])),
            "class": int(self.classes[row]),
            "score": round(float(self.scores[row]), 4),
            "box": [round(float(value), 2) for value in self.boxes[row]],
        }
        if self.points is not None:
            found["points"] = [[round(float(value), 2) for value in point] for point in self.points[row]]
        return found

    def to_rows(self) -> list[dict[str, Any]]:
        """A line for each box: label, score, x1, y1, x2, y2."""
        sides = ("x1", "y1", "x2", "y2")
        rows = map(self._row, range(len(self)))
        return [
            {"label": row["label"], "score": row["score"], **dict(zip(sides, row["box"], strict=True))} for row in rows
        ]

    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]:
        """COCO's results for one picture: ``bbox`` is x, y, width, height; ``category_id`` the class's index."""
        results = []
        for row, (x1, y1, x2, y2) in enumerate(self.boxes.tolist()):
            result: dict[str, Any] = {
                "image_id": image_id,
                "category_id": int(self.classes[row]),
                "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
                "score": round(float(self.scores[row]), 5),
            }
            if self.points is not None:
                visible = self.points[row][:, 2] if self.points.shape[2] == 3 else np.ones(self.points.shape[1])
                triples = zip(self.points[row].tolist(), visible.tolist(), strict=True)
                result["keypoints"] = [number for (x, y, *_), v in triples for number in (round(x, 2), round(y, 2), v)]
            results.append(result)
        return results

    def to_yolo(self) -> str:
        """A line for each box: class, centre x, centre y, width, height as shares of the picture, score."""
        height, width = self.size
        lines = []
        for (x1, y1, x2, y2), label, score in zip(self.boxes.tolist(), self.classes, self.scores, strict=True):
            center = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
            shares = (*center, (x2 - x1) / width, (y2 - y1) / height)
            lines.append(" ".join([str(int(label)), *(f"{share:.6f}" for share in shares), f"{float(score):.4f}"]))
        return "".join(line + "\n" for line in lines)

    def to_supervision(self) -> Any:
        """The same as ``supervision.Detections``; :class:`ImportError` where supervision is not installed."""
        import supervision

        names = np.array(self.names, str)
        return supervision.Detections(
            xyxy=self.boxes, confidence=self.scores, class_id=self.classes.astype(int), data={"class_name": names}
        )

    @classmethod
    def from_supervision(cls, detections: Any, size: tuple[int, int]) -> "Detections":
        """What ``supervision.Detections`` hold of a picture of ``size`` (height, width)."""
        boxes = np.asarray(detections.xyxy, np.float32).reshape(-1, 4)
        count = len(boxes)
        scores = np.ones(count) if detections.confidence is None else detections.confidence
        classes = np.zeros(count, int) if detections.class_id is None else detections.class_id
        names = detections.data.get("class_name")
        named = {} if names is None else {int(index): str(name) for index, name in zip(classes, names, strict=True)}
        labels = tuple(named.get(index, f"class {index}") for index in range(max(named, default=-1) + 1))
        found = cls(boxes, np.asarray(scores, np.float32), np.asarray(classes, np.int64), size=size, labels=labels)
        return found.chosen(np.argsort(-found.scores, kind="stable"))

    def draw(self, picture: ImageSource) -> Picture:
        """``picture`` with the boxes, labels and points on it."""
        from edgevision.imaging.drawing import Marker, class_color

        usual = float(np.median(np.sqrt(box_areas(self.boxes)))) if len(self) else None
        marker = Marker(_in_rgb(read_image(picture)), usual)
        if marker.image.size != self.size[::-1]:
            raise ValueError(f"the picture is {marker.image.size}, and the boxes are of one of {self.size[::-1]}")
        order = range(len(self) - 1, -1, -1)  # the best on top
        for row in order:
            marker.box(self._box(row), class_color(int(self.classes[row])))
        for row in order if self.points is not None else ():
            self._draw_points(marker, row)
        for row in range(len(self)):
            name = f"{self.name_of(int(self.classes[row]))} {100 * self.scores[row]:.0f}"
            marker.label(self._box(row), name, class_color(int(self.classes[row])))
        return Picture.read(marker.image)

    def _box(self, row: int) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = self.boxes[row].tolist()
        return x1, y1, x2, y2

    def _draw_points(self, marker: Any, row: int) -> None:
        from edgevision.imaging.drawing import class_color

        assert self.points is not None
        points = self.points[row]
        visible = points[:, 2] >= 0.5 if points.shape[1] == 3 else np.ones(len(points), bool)
        for one, other in self.skeleton:
            if visible[one] and visible[other]:
                marker.line_between(points[one], points[other], class_color(int(self.classes[row])))
        for index in np.flatnonzero(visible):
            marker.points([points[index]], class_color(int(index)))

    def crops(self, picture: ImageSource) -> list[Picture]:
        """What is inside of each box, of ``picture``; a box has at least one pixel of it."""
        whole = Picture.read(picture)
        cut = []
        for x1, y1, x2, y2 in self.boxes.tolist():
            left, top = min(int(x1), whole.width - 1), min(int(y1), whole.height - 1)
            right, bottom = max(left + 1, round(x2)), max(top + 1, round(y2))
            window = (slice(top, bottom), slice(left, right))
            cut.append(whole.with_pixels(whole.pixels[window], None if whole.alpha is None else whole.alpha[window]))
        return cut

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the boxes as .json or .csv, or as YOLO's lines in .txt; raises as :func:`.save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        target = Path(path)
        ending = target.suffix.lower()
        if ending == ".txt":
            with atomic_file(target, force=force) as temporary:
                temporary.write_text(self.to_yolo(), encoding="utf-8")
        elif ending in (".json", ".csv"):
            save_text(target, self.to_dict(), self.to_rows(), force=force)
        else:
            raise OutputError(f"boxes are written as {_ENDINGS}, not {target.name!r}; draw() makes a picture")

    def compare(self, reference: "Detections") -> dict[str, float]:
        """``f1`` in percent: of both sets of boxes, how many have one of the same class at IoU 0.75 in the other.

        Raises:
            ValueError: they are of pictures of different sizes.
        """
        from edgevision.runtime.tasks.detection.matching import matched_pairs

        if self.size != reference.size:
            raise ValueError(f"boxes of one picture are compared, not of {self.size} and {reference.size}")
        if not len(self) + len(reference):
            return {"f1": 100.0}
        pairs = matched_pairs(self, reference, 0.75)
        return {"f1": 100.0 * 2 * len(pairs) / (len(self) + len(reference))}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        table = np.concatenate([self.boxes, self.scores[:, None], self.classes[:, None]], axis=1, dtype=np.float32)
        return requested_array(table, dtype, copy, shared=False)

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for name in self.names:
            counts[name] = counts.get(name, 0) + 1
        return f"Detections({', '.join(f'{count} {name}' for name, count in counts.items()) or 'nothing'})"


def _in_rgb(image: Image.Image) -> Image.Image:
    from edgevision.imaging.images import to_array

    return Image.fromarray(to_array(image))
