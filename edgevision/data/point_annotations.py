"""Points that people set on things in pictures: lines of CSV, or COCO's JSON."""

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, InputError
from edgevision.data.coco_documents import coco_documents, coco_pictures, files_ending, is_of_another_split, read_text
from edgevision.data.datasets import ImageFolder, is_held_out

_log = logging.getLogger(__name__)

_FARTHEST = 1e6
"""Pixels; no picture is so large."""


@dataclass(frozen=True, eq=False)
class PointAnnotations:
    """The things in one picture.

    Attributes:
        points: float32 (N, P, 2), x and y in pixels; x of the picture's left edge is 0.
        visible: bool (N, P): which are set.
        boxes: float32 (N, 4), x1, y1, x2, y2; round the points where nobody drew one.
        areas: float64 (N,), of each thing in square pixels.
        crowd: bool (N,): several things in one box.
    """

    points: NDArray[np.float32]
    visible: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """bool (N,): crowds, and things without a point that is set."""
        return np.asarray(self.crowd | ~self.visible.any(axis=1))

    @property
    def counted(self) -> NDArray[np.int64]:
        """The things whose points are to be found: not ignored, with a box that has an area."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return np.flatnonzero(~self.ignored & (sides > 0).all(axis=1) & np.isfinite(self.boxes).all(axis=1))


class PointedFolder:
    """The points on the pictures of a folder.

    They are one COCO JSON with ``keypoints``, or CSV files whose lines are a picture's name and x, y of each point, in
    pixels; an empty field is a point that is not visible. Several lines may be about one picture. A CSV with a split in
    its name or folder, as ``training_points.csv``, is about that one's pictures alone.

    Attributes:
        point_names: as a document or the first line of a CSV has them (``nose_x,nose_y``); else there are none.
        skeleton: which points are joined, by index.
        count: how many points a thing has.
    """

    def __init__(self, folder: ImageFolder) -> None:
        """Read them all.

        Raises:
            DatasetError: there are none, their number differs, or a file of them is damaged.
        """
        self.folder = folder
        self.point_names: tuple[str, ...] = ()
        self.skeleton: tuple[tuple[int, int], ...] = ()
        self.count = 0
        self._of: dict[str, PointAnnotations] = {}
        self._strange = 0
        self._read_coco()
        if not self._of:
            self._read_csv()
        if not self._of:
            raise DatasetError(
                f"{str(folder.path)!r} has no points to compare with: one .json with keypoints (COCO), or a .csv of"
                " lines NAME,x0,y0,x1,y1,..."
            )
        if self._strange:
            _log.warning("%d lines of points are about pictures that are not in %r", self._strange, str(folder.path))

    def __len__(self) -> int:
        return len(self._of)

    def things(self, name: str) -> PointAnnotations:
        """The things in the picture of that name, which is one of :attr:`names`."""
        return self._of[name]

    @property
    def names(self) -> list[str]:
        """The pictures with points, sorted."""
        return sorted(self._of)

    def _read_coco(self) -> None:
        for path, document in coco_documents(self.folder):
            category = next((entry for entry in document["categories"] if entry.get("keypoints")), None)
            if category is None:
                continue
            try:
                self.point_names = tuple(map(str, category["keypoints"]))
                self.skeleton = tuple((one - 1, other - 1) for one, other in category.get("skeleton", ()))
                self._set_count(len(self.point_names), path)
                for picture, _, entries in coco_pictures(self.folder, path, document):
                    if picture in self._of:
                        raise DatasetError(f"{path!r} is the second with points for {picture!r}; keep one of them")
                    self._of[picture] = self._coco_things(entries)
            except (KeyError, TypeError, ValueError) as error:
                raise DatasetError(f"{path!r} is no whole COCO document: {type(error).__name__} {error}") from error

    def _coco_things(self, entries: Sequence[Mapping[str, Any]]) -> PointAnnotations:
        triples = np.array([entry["keypoints"] for entry in entries], float).reshape(-1, self.count, 3)
        boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in entries)], np.float32)
        visible = (triples[:, :, 2] > 0) & np.isfinite(triples).all(axis=2)
        crowd = np.array([bool(entry.get("iscrowd")) for entry in entries], bool)
        areas = [entry.get("area", entry["bbox"][2] * entry["bbox"][3]) for entry in entries]
        return PointAnnotations(
            np.where(visible[:, :, None], triples[:, :, :2], 0).astype(np.float32),
            visible,
            boxes.reshape(-1, 4),
            np.array(areas, float),
            crowd,
        )

    def _read_csv(self) -> None:
        found: dict[str, list[NDArray[np.float64]]] = {}
        for path in files_ending(self.folder, ".csv"):
            if is_of_another_split(self.folder, path):
                continue
            try:
                rows = list(csv.reader(io.StringIO(read_text(self.folder, path))))
            except csv.Error as error:
                raise DatasetError(f"{path!r} is no CSV: {error}") from error
            width = max(map(len, rows), default=0)
            if width < 3 or width % 2 == 0:
                continue  # about something else
            self._set_count(width // 2, path)
            if rows and not _is_number(rows[0][1:]):
                self._take_names(rows.pop(0))
            pictures = _by_name(self.folder.names)
            for number, row in enumerate(rows, start=1):
                picture = pictures.get(row[0]) or pictures.get(PurePosixPath(row[0]).name) if row else None
                if picture is None:
                    self._strange += bool(row)
                    continue
                found.setdefault(picture, []).append(_numbers(row[1:], self.count, f"line {number} of {path!r}"))
        for picture, things in found.items():
            self._of[picture] = _with_boxes(np.stack(things))

    def _set_count(self, count: int, path: str) -> None:
        if self.count not in (0, count):
            raise DatasetError(f"{path!r} has {count} points, and others of {str(self.folder.path)!r} {self.count}")
        self.count = count

    def _take_names(self, header: Sequence[str]) -> None:
        names = [re.sub(r"[ _.]?[xX]$", "", name) for name in header[1::2]]
        if len(names) == self.count and all(name and not name[0].isdigit() for name in names):
            self.point_names = tuple(names)


def held_out_by(groups: str | None) -> "HeldOut":
    """What tells by a picture's name whether it is held out; see :attr:`.KeypointsSpec.groups`.

    Raises:
        InputError: it is no regular expression.
    """
    try:
        return HeldOut(re.compile(groups) if groups else None)
    except re.error as error:
        raise InputError(f"groups is a regular expression, and {groups!r} is none: {error}") from error


@dataclass(frozen=True)
class HeldOut:
    """Whether a picture belongs to the tenth that is never trained on: a tenth of what they show, or of the pictures.

    Attributes:
        groups: finds in a file's name what it shows: its first group, or all that it matches.
    """

    groups: re.Pattern[str] | None

    def __call__(self, name: str) -> bool:
        """Of the picture of that name."""
        return is_held_out(self.group_of(name))

    def group_of(self, name: str) -> str:
        """What the picture shows; the file's own name where the expression finds nothing."""
        file = name.rpartition("/")[2]
        match = self.groups.search(file) if self.groups is not None else None
        if match is None:
            return file
        return match[1] if match.re.groups and match[1] is not None else match[0]


def _by_name(names: Sequence[str]) -> dict[str, str]:
    """Pictures by their path and by their file's name."""
    return {PurePosixPath(name).name: name for name in names} | {name: name for name in names}


def _is_number(cells: Sequence[str]) -> bool:
    """Whether a line is one of coordinates: a line of numbers 0, 1, 2, ... counts the columns."""
    try:
        values = [float(cell) for cell in cells if cell.strip()]
    except ValueError:
        return False
    return bool(values) and values != list(range(len(cells)))


def _numbers(cells: Sequence[str], count: int, where: str) -> NDArray[np.float64]:
    """(P, 2), NaN where a point is not visible."""
    try:
        values = [float(cell) if cell.strip() else np.nan for cell in cells]
    except ValueError as error:
        raise DatasetError(f"{where} has {error.args[0].rpartition(': ')[2]:.40}, which is no number") from error
    if any(abs(value) > _FARTHEST for value in values if np.isfinite(value)):
        raise DatasetError(f"{where} has a coordinate that is in no picture")
    if len(values) != 2 * count:
        raise DatasetError(f"{where} has {len(values)} coordinates, and the others {2 * count}")
    points = np.array(values).reshape(count, 2)
    return np.where(np.isfinite(points).all(axis=1, keepdims=True), points, np.nan)


def _with_boxes(points: NDArray[np.float64]) -> PointAnnotations:
    visible: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=2), bool)
    some = visible.any(axis=1)
    known = np.where(visible[:, :, None], points, 0.0)
    low = np.where(visible[:, :, None], points, np.inf).min(axis=1)
    high = np.where(visible[:, :, None], points, -np.inf).max(axis=1)
    boxes = np.where(np.reshape(some, (-1, 1)), np.concatenate([low, high], axis=1), 0.0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return PointAnnotations(
        known.astype(np.float32), visible, boxes.astype(np.float32), areas, np.zeros(len(points), bool)
    )
