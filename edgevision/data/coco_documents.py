"""COCO's JSON: its images, what is on them, and what they are called here."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder

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


def coco_documents(folder: ImageFolder) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path and the content of each file that has images, annotations and categories."""
    for path in files_ending(folder, ".json"):
        try:
            document = json.loads(read_text(folder, path))
        except (ValueError, RecursionError):
            continue
        if isinstance(document, Mapping) and {"images", "annotations", "categories"} <= set(document):
            yield path, document


def coco_pictures(folder: ImageFolder, document: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """The name here of each image that is here, and the annotations of it.

    Raises:
        KeyError, TypeError: the document lacks something.
    """
    found: dict[Any, list[Mapping[str, Any]]] = {}
    for entry in document["annotations"]:
        found.setdefault(entry["image_id"], []).append(entry)
    by_file = {PurePosixPath(name).name: name for name in folder.names}
    for image in document["images"]:
        picture = by_file.get(PurePosixPath(str(image["file_name"])).name)
        if picture is not None:
            yield picture, found.get(image["id"], [])
