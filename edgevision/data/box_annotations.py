"""Boxes that people drew round things in pictures: VOC's XML files, COCO's JSON, and YOLO's lines."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.coco_documents import coco_documents, coco_pictures, files_ending, read_text
from edgevision.data.datasets import CLASS_LISTS, ImageFolder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BoxAnnotations:
    """The things in one picture.

    Attributes:
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels; x1 of the picture's left edge is 0.
        labels: the name of each.
        ignored: bool (N,): crowds and what is marked as difficult, which are neither missed nor found wrongly.
    """

    boxes: NDArray[np.float32]
    labels: tuple[str, ...]
    ignored: NDArray[np.bool_]

    def inside(self, size: tuple[int, int]) -> "BoxAnnotations":
        """Those of which something lies in a picture of ``size`` (height, width)."""
        seen = (self.boxes[:, 0] < size[1]) & (self.boxes[:, 1] < size[0])
        if seen.all():
            return self
        labels = tuple(label for label, one in zip(self.labels, seen, strict=True) if one)
        return BoxAnnotations(self.boxes[seen], labels, self.ignored[seen])


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

    def _read_voc(self) -> bool:
        files = {PurePosixPath(name).stem: name for name in files_ending(self.folder, ".xml")}
        beside = {name.rpartition(".")[0]: name for name in files_ending(self.folder, ".xml")}
        names: set[str] = set()
        for picture in self.folder.names:
            path = beside.get(picture.rpartition(".")[0]) or files.get(PurePosixPath(picture).stem)
            if path is None:
                continue
            boxes, labels, difficult = _voc_objects(read_text(self.folder, path), path)
            self._keep(picture, boxes, labels, difficult)
            names.update(labels)
        self.class_names = tuple(sorted(names))
        return bool(self._of)

    def _read_coco(self) -> bool:
        for path, document in coco_documents(self.folder):
            try:
                categories = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
                for picture, entries in coco_pictures(self.folder, path, document):
                    if picture in self._of:
                        raise DatasetError(f"{path!r} is the second with boxes for {picture!r}; keep one of them")
                    boxes = [(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in entries)]
                    strange = {entry["category_id"] for entry in entries} - set(categories)
                    if strange:
                        raise DatasetError(f"{path!r} has no category {min(strange, key=str)!r}, of which boxes are")
                    labels = [categories[entry["category_id"]] for entry in entries]
                    self._keep(picture, boxes, labels, [bool(entry.get("iscrowd")) for entry in entries])
                self.class_names = tuple(dict.fromkeys((*self.class_names, *categories.values())))
            except (KeyError, TypeError, ValueError) as error:
                raise DatasetError(f"{path!r} is no whole COCO document: {type(error).__name__} {error}") from error
        return bool(self._of)

    def _read_yolo(self) -> bool:
        names = self._yolo_names()
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
            self._keep(picture, boxes, labels, [False] * len(boxes))
        self.class_names = (*names, *(f"class {number}" for number in range(len(names), most)))
        return bool(self._of)

    def _yolo_names(self) -> tuple[str, ...]:
        for path in self.folder.other_files:
            if PurePosixPath(path).name not in (*CLASS_LISTS, "data.yaml"):
                continue
            text = read_text(self.folder, path)
            if not path.endswith(".yaml"):
                return tuple(line.strip() for line in text.splitlines() if line.strip())
            names = _yaml_names(text)
            if names:
                return names
        return ()

    def _keep(
        self, picture: str, boxes: Iterable[tuple[float, float, float, float]], labels: list[str], ignored: list[bool]
    ) -> None:
        table = np.array(list(boxes), np.float32).reshape(-1, 4)
        usable = np.isfinite(table).all(axis=1)
        usable &= (table[:, 2] > np.maximum(table[:, 0], 0)) & (table[:, 3] > np.maximum(table[:, 1], 0))
        self.skipped += int((~usable).sum())
        kept = tuple(label for label, use in zip(labels, usable, strict=True) if use)
        self._of[picture] = BoxAnnotations(table[usable], kept, np.array(ignored, bool)[usable])


@lru_cache(maxsize=1)
def annotations(folder: ImageFolder) -> AnnotatedFolder:
    """As :class:`AnnotatedFolder`, of which the last is kept: whether there are any, and what they are, is one look."""
    return AnnotatedFolder(folder)


def _voc_objects(text: str, path: str) -> tuple[list[tuple[float, float, float, float]], list[str], list[bool]]:
    # Entities that grow by themselves are the one danger of such a file.
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise DatasetError(f"{path!r} defines entities, which annotations have no use for; it is not read")
    try:
        things = ElementTree.fromstring(text).findall("object")
        boxes = []
        for thing in things:
            corners = [float(thing.findtext(f"bndbox/{name}", "nan")) for name in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append((corners[0], corners[1], corners[2], corners[3]))
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path!r} is no VOC annotation: {error}") from error
    labels = [thing.findtext("name", "").strip() or "unnamed" for thing in things]
    return boxes, labels, [thing.findtext("difficult", "0").strip() == "1" for thing in things]


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


def _yaml_names(text: str) -> tuple[str, ...]:
    """The ``names`` of a data.yaml: a list in brackets, lines with a dash, or lines with a number."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if not line.startswith("names:"):
            continue
        rest = line.removeprefix("names:").split("#")[0].strip()
        if rest.startswith("["):
            whole = rest + "".join(each for each in lines[index + 1 :] if "]" not in rest)
            return tuple(name.strip(" '\"") for name in whole[1 : whole.index("]")].split(",")) if "]" in whole else ()
        names = []
        for entry in lines[index + 1 :]:
            if not entry.strip() or not entry.startswith((" ", "-")):
                break
            head, _, tail = entry.strip().partition(":")
            names.append((tail if head.isdigit() else entry.strip().removeprefix("-")).strip(" '\""))
        return tuple(names)
    return ()


def _in_labels(stem: str) -> str:
    """Where the lines of ``images/a`` are: in ``labels/a``."""
    parts = PurePosixPath(stem).parts
    if "images" not in parts:
        return ""
    place = len(parts) - 1 - parts[::-1].index("images")
    return PurePosixPath(*parts[:place], "labels", *parts[place + 1 :]).as_posix()
