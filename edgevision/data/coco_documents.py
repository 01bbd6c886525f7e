"""COCO's JSON: its images, what is on them, and what they are called here."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder, split_called

_log = logging.getLogger(__name__)

_MOST_CHARACTERS = 200 << 20


def read_text(folder: ImageFolder, path: str) -> str:
    """A file of annotations inside the data; :class:`DatasetError` where it cannot be read or is too large."""
    content = folder.read(path)
    if len(content) > _MOST_CHARACTERS:
        raise DatasetError(f"{path!r} has {len(content) >> 20} MB, and annotations may have 200 MB")
    return content.decode("utf-8", "replace")


def files_ending(folder: ImageFolder, ending: str) -> list[str]:
    """The paths of what is no picture and ends so, whatever the case."""
    return [name for name in folder.other_files if name.lower().endswith(ending)]


def is_of_another_split(folder: ImageFolder, path: str) -> bool:
    """Whether a split stands in the path, as ``training_points.csv``, and it is not that of the pictures."""
    words = re.split(r"[^A-Za-z]+", path.rpartition(".")[0])
    splits = {split for word in words if (split := split_called(word)) is not None}
    return bool(folder.split and splits) and folder.split not in splits


def coco_documents(folder: ImageFolder) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path and the content of each file that has images, annotations and categories, and is of the split."""
    for path in files_ending(folder, ".json"):
        if is_of_another_split(folder, path):
            continue
        try:
            document = json.loads(read_text(folder, path))
        except (ValueError, RecursionError):
            continue
        if isinstance(document, Mapping) and {"images", "annotations", "categories"} <= set(document):
            yield path, document


def coco_pictures(
    folder: ImageFolder, path: str, document: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], list[Mapping[str, Any]]]]:
    """The name here of each image that is here, its own entry, and the annotations of it.

    Folders may have been moved since: an image is the picture of its file's name, and of several that whose folders
    are its own, or that beside the document.

    Raises:
        KeyError, TypeError: the document lacks something.
        DatasetError: it cannot be told which picture an image is.
    """
    found: dict[Any, list[Mapping[str, Any]]] = {}
    for entry in document["annotations"]:
        found.setdefault(entry["image_id"], []).append(entry)
    here: dict[str, list[str]] = {}
    for name in folder.names:
        here.setdefault(PurePosixPath(name).name, []).append(name)
    named: dict[str, tuple[tuple[int, bool], Mapping[str, Any]]] = {}
    missing = 0
    for image in document["images"]:
        file = PurePosixPath(str(image["file_name"]).replace("\\", "/"))
        beside = PurePosixPath(path).parent / file
        candidates = [
            ((_shared_end(file, name), PurePosixPath(name) == beside), name) for name in here.get(file.name, ())
        ]
        if not candidates:
            missing += 1
            continue
        near, picture = max(candidates)
        if [other for other, _ in candidates].count(near) > 1:
            several = ", ".join(sorted(here[file.name])[:5])
            raise DatasetError(f"{path!r} names {str(file)!r}, which may be any of {several}")
        if picture in named and named[picture][0] == near:
            raise DatasetError(f"{path!r} has two images for {picture!r}; each needs one of its own")
        if picture not in named or named[picture][0] < near:
            named[picture] = near, image
    if missing and not folder.split:
        _log.warning("%d images of %r are not in %r", missing, path, str(folder.path))
    for picture, (_, image) in named.items():
        yield picture, image, found.get(image["id"], [])


def stated_size(sides: Mapping[str, Any]) -> tuple[int, int] | None:
    """The (height, width) that annotations say their picture has; ``None`` where they do not, as some say 0."""
    try:
        height, width = (int(float(sides[name])) for name in ("height", "width"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _shared_end(file: PurePosixPath, name: str) -> int:
    """How many parts of two paths are the same, from their ends."""
    pairs = zip(reversed(file.parts), reversed(PurePosixPath(name).parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
