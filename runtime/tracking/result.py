"""The tracks in one frame."""

import os
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.detection.result import Detections


class Tracks:
    """Boxes that know which thing they are of.

    Attributes:
        found: the boxes, where the things are by all that was seen of them so far.
        ids: int64 (N,), from 1; of one thing the same in every frame.
        seen: bool (N,), whether a detector saw the thing in this frame; the others are where they are expected.
        trails: where each thing was before, by its id, as points (x, y), the oldest first; drawn behind the boxes.
    """

    __slots__ = ("found", "ids", "seen", "trails")

    def __init__(
        self,
        found: Detections,
        ids: NDArray[np.int64],
        seen: NDArray[np.bool_],
        trails: dict[int, list[tuple[float, float]]] | None = None,
    ) -> None:
        if not len(found) == len(ids) == len(seen):
            raise ValueError(f"there are {len(found)} boxes, {len(ids)} ids and {len(seen)} truth values")
        self.found, self.ids, self.seen, self.trails = found, ids, seen, trails or {}

    @property
    def names(self) -> tuple[str, ...]:
        """What each is of."""
        return self.found.names

    def __len__(self) -> int:
        return len(self.ids)

    def to_dict(self) -> dict[str, Any]:
        """The picture's size and a dictionary for each box, with its ``id`` and whether it was ``seen``."""
        document = self.found.to_dict()
        rows = zip(self.ids, self.seen, document.pop("detections"), strict=True)
        return document | {"tracks": [{"id": int(number), "seen": bool(seen)} | row for number, seen, row in rows]}

    def to_rows(self) -> list[dict[str, Any]]:
        """A line for each box: id, label, score, x1, y1, x2, y2."""
        return [{"id": int(number)} | row for number, row in zip(self.ids, self.found.to_rows(), strict=True)]

    def draw(self, picture: ImageSource) -> Picture:
        """``picture`` with trails, boxes and ids on it; a thing keeps its colour."""
        from PIL import Image

        from edgevision.imaging.drawing import Marker, class_color
        from edgevision.imaging.images import read_image, to_array

        marker = Marker(Image.fromarray(to_array(read_image(picture))))
        for number, trail in self.trails.items():
            for one, other in pairwise(trail):
                marker.line_between(one, other, class_color(number))
        for number, (x1, y1, x2, y2) in zip(self.ids, self.found.boxes.tolist(), strict=True):
            marker.box((x1, y1, x2, y2), class_color(int(number)))
        for number, name, (x1, y1, x2, y2) in zip(self.ids, self.names, self.found.boxes.tolist(), strict=True):
            marker.label((x1, y1, x2, y2), f"{name} {number}", class_color(int(number)))
        return Picture.read(marker.image)

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the boxes as .json or .csv; raises as :func:`save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        save_text(path, self.to_dict(), self.to_rows(), force=force)

    def __repr__(self) -> str:
        return f"Tracks({', '.join(f'{name} {number}' for number, name in zip(self.ids, self.names, strict=True))})"
