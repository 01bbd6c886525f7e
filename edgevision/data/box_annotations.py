"""Boxes that people drew round things in pictures: VOC's XML files, COCO's JSON, and YOLO's lines."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.coco_documents import coco_documents, coco_pictures, files_ending, read_text, stated_size
from edgevision.data.datasets import ImageFolder
from edgevision.data.yolo_classes import yolo_classes

_log = logging.getLogger(__name__)

_SIDES = ("height", "width")
_ROUNDING = 1.0
"""Pixels: VOC counts from 1, and numbers are rounded."""


@dataclass(frozen=True, eq=False)
class BoxAnnotations:
    """The things in one picture.

    Attributes:
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels; x1 of the picture's left edge is 0.
        labels: the name of each.
        ignored: bool (N,): crowds and what is marked as difficult, which are neither missed nor found wrongly.
        source: the file that they stand in.
        stated: the (height, width) that it says the picture has; ``None`` where it says none.
    """

    boxes: NDArray[np.float32]
    labels: tuple[str, ...]
    ignored: NDArray[np.bool_]
    source: str = ""
    stated: tuple[int, int] | None = None

    def inside(self, size: tuple[int, int]) -> "BoxAnnotations":
        """What lies of them in a picture of ``size`` (height, width): boxes are cut off at its edges."""
        height, width = size
        boxes = np.clip(self.boxes, 0, np.array([width, height, width, height], np.float32))
        seen = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
        labels = tuple(label for label, one in zip(self.labels, seen, strict=True) if one)
        return replace(self, boxes=boxes[seen], labels=labels, ignored=self.ignored[seen])


class AnnotatedFolder:
    """The boxes of the pictures of a folder.

    They are found by what lies there: ``NAME.xml`` beside the pictures or in a folder ``annotations`` (VOC), one JSON
    with ``images``, ``annotations`` and ``categories`` (COCO), or ``NAME.txt`` beside them or in ``labels`` in place of
    ``images`` (YOLO), whose classes a file ``classes.txt`` or ``data.yaml`` names.

    Attributes:
        class_names: in COCO's and YOLO's own order, else sorted.
        skipped: how many boxes have no area, or lie left of their picture or above it.
    """

    def __init__(self, folder: ImageFolder) -> None:
        """Read them all.

        Raises:
            DatasetError: there are none, or a file of them is damaged.
        """
        self.folder = folder
        self.skipped = 0
        self._remarked = False
        self._of: dict[str, BoxAnnotations] = {}
        self.class_names: tuple[str, ...] = ()
        for read in (self._read_voc, self._read_coco, self._read_yolo):
            if read():
                break
        else:
            raise DatasetError(
                f"{str(folder.path)!r} has no boxes to compare with: NAME.xml beside the pictures (VOC), one .json"
                " (COCO), or NAME.txt (YOLO)"
            )
        if self.skipped:
            _log.warning("boxes without area in their picture are left out: %d", self.skipped)

    def __len__(self) -> int:
        return len(self._of)

    def of(self, name: str) -> BoxAnnotations | None:
        """The things in the picture of that name; ``None`` where nobody has looked."""
        return self._of.get(name)

    def inside(self, name: str, size: tuple[int, int]) -> BoxAnnotations:
        """What lies of them in the picture of that name, which somebody has looked at and is of ``size``.

        Annotations that say another size are warned of, the first of them by name.

        Raises:
            DatasetError: they say another size, and not all lies in the picture.
        """
        things = self._of[name]
        if things.stated in (None, size):
            return things.inside(size)
        height, width = things.stated
        contradiction = f"{things.source!r} is about a picture of {width}x{height}, and {name!r} is {size[1]}x{size[0]}"
        if (things.boxes[:, 2:] > np.array(size[::-1]) + _ROUNDING).any():
            raise DatasetError(f"{contradiction}, so that boxes lie outside of it; they belong to another copy of it")
        if not self._remarked:
            self._remarked = True
            _log.warning(
                "%s; its boxes are taken as they are. Others of which that is true are not named", contradiction
            )
        return things.inside(size)

    def _read_voc(self) -> bool:
        files = {PurePosixPath(name).stem: name for name in files_ending(self.folder, ".xml")}
        beside = {name.rpartition(".")[0]: name for name in files_ending(self.folder, ".xml")}
        names: set[str] = set()
        for picture in self.folder.names:
            path = beside.get(picture.rpartition(".")[0]) or files.get(PurePosixPath(picture).stem)
            if path is None:
                continue
            boxes, labels, difficult, stated = _voc_objects(read_text(self.folder, path), path)
            self._keep(picture, boxes, labels, difficult, path, stated)
            names.update(labels)
        self.class_names = tuple(sorted(names))
        return bool(self._of)

    def _read_coco(self) -> bool:
        for path, document in coco_documents(self.folder):
            try:
                categories = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
                for picture, image, entries in coco_pictures(self.folder, path, document):
                    if picture in self._of:
                        raise DatasetError(f"{path!r} is the second with boxes for {picture!r}; keep one of them")
                    boxes = [(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in entries)]
                    strange = {entry["category_id"] for entry in entries} - set(categories)
                    if strange:
                        raise DatasetError(f"{path!r} has no category {min(strange, key=str)!r}, of which boxes are")
                    labels = [categories[entry["category_id"]] for entry in entries]
                    crowds = [bool(entry.get("iscrowd")) for entry in entries]
                    self._keep(picture, boxes, labels, crowds, path, stated_size(image))
                self.class_names = tuple(dict.fromkeys((*self.class_names, *categories.values())))
            except (KeyError, TypeError, ValueError) as error:
                raise DatasetError(f"{path!r} is no whole COCO document: {type(error).__name__} {error}") from error
        return bool(self._of)

    def _read_yolo(self) -> bool:
        names = yolo_classes(self.folder)
        texts = {name.rpartition(".")[0]: name for name in files_ending(self.folder, ".txt")}
        most = len(names)
        for index, picture in enumerate(self.folder.names):
            stem = picture.rpartition(".")[0]
            path = texts.get(stem) or texts.get(_in_labels(stem))
            if path is None:
                continue
            width, height = self.folder.image(index).size
            lines = _yolo_lines(read_text(self.folder, path), path)
            most = max(most, 1 + max((number for number, _ in lines), default=-1))
            boxes = [
                ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                for _, (x, y, w, h) in lines
            ]
            labels = [names[number] if number < len(names) else f"class {number}" for number, _ in lines]
            self._keep(picture, boxes, labels, [False] * len(boxes), path)
        if names and most > len(names):
            _log.warning("lines are of %d classes, and %d have names", most, len(names))
        self.class_names = (*names, *(f"class {number}" for number in range(len(names), most)))
        return bool(self._of)

    def _keep(
        self,
        picture: str,
        boxes: Iterable[tuple[float, float, float, float]],
        labels: list[str],
        ignored: list[bool],
        source: str,
        stated: tuple[int, int] | None = None,
    ) -> None:
        table = np.array(list(boxes), np.float32).reshape(-1, 4)
        usable = np.isfinite(table).all(axis=1)
        usable &= (table[:, 2] > np.maximum(table[:, 0], 0)) & (table[:, 3] > np.maximum(table[:, 1], 0))
        self.skipped += int((~usable).sum())
        kept = tuple(label for label, use in zip(labels, usable, strict=True) if use)
        self._of[picture] = BoxAnnotations(table[usable], kept, np.array(ignored, bool)[usable], source, stated)


@lru_cache(maxsize=1)
def annotations(folder: ImageFolder) -> AnnotatedFolder:
    """As :class:`AnnotatedFolder`, of which the last is kept: whether there are any, and what they are, is one look."""
    return AnnotatedFolder(folder)


def _voc_objects(
    text: str, path: str
) -> tuple[list[tuple[float, float, float, float]], list[str], list[bool], tuple[int, int] | None]:
    # Entities that grow by themselves are the one danger of such a file.
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise DatasetError(f"{path!r} defines entities, which annotations have no use for; it is not read")
    try:
        document = ElementTree.fromstring(text)
        things = document.findall("object")
        boxes = []
        for thing in things:
            corners = [float(thing.findtext(f"bndbox/{name}", "nan")) for name in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append((corners[0], corners[1], corners[2], corners[3]))
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path!r} is no VOC annotation: {error}") from error
    labels = [thing.findtext("name", "").strip() or "unnamed" for thing in things]
    difficult = [thing.findtext("difficult", "0").strip() == "1" for thing in things]
    return boxes, labels, difficult, stated_size({name: document.findtext(f"size/{name}") for name in _SIDES})


def _yolo_lines(text: str, path: str) -> list[tuple[int, tuple[float, float, float, float]]]:
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words[1:]]
            index = int(words[0])
            if len(values) < 4 or index < 0 or not all(map(math.isfinite, values)):
                raise ValueError("a line is: class, centre x, centre y, width, height")
        except ValueError as error:
            raise DatasetError(f"line {number} of {path!r} is {line!r:.60}: {error}") from error
        if len(values) > 5 and len(values) % 2 == 0:  # an outline instead of a box
            xs, ys = values[0::2], values[1::2]
            values = [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]
        lines.append((index, (values[0], values[1], values[2], values[3])))
    return lines


def _in_labels(stem: str) -> str:
    """Where the lines of ``images/a`` are: in ``labels/a``."""
    parts = PurePosixPath(stem).parts
    if "images" not in parts:
        return ""
    place = len(parts) - 1 - parts[::-1].index("images")
    return PurePosixPath(*parts[:place], "labels", *parts[place + 1 :]).as_posix()
