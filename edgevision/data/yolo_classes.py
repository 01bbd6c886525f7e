"""The names of the classes of YOLO's lines: a list of lines, or the ``names`` of a ``data.yaml``."""

import logging
import re
from pathlib import PurePosixPath

from edgevision.core.errors import DatasetError
from edgevision.data.coco_documents import read_text
from edgevision.data.datasets import CLASS_LISTS, ImageFolder

_log = logging.getLogger(__name__)

_FORMS = "a list in brackets, an object in braces with numbers, or a line for each"
_NUMBERED = re.compile(r"['\"]?(\d+)['\"]?\s*:(.*)", re.DOTALL)


def yolo_classes(folder: ImageFolder) -> tuple[str, ...]:
    """The classes by their index; none where no file names them, which is said where one was to.

    Raises:
        DatasetError: a ``data.yaml`` has names that cannot be read, or another number of classes than of names.
    """
    for path in folder.other_files:
        name = PurePosixPath(path).name
        if name in CLASS_LISTS:
            return tuple(line.strip() for line in read_text(folder, path).splitlines() if line.strip())
        if name == "data.yaml":
            names = _yaml_names(read_text(folder, path), path)
            if names:
                return names
            _log.warning("%r names no classes, which are called class 0, class 1, ...", path)
    return ()


def _yaml_names(text: str, path: str) -> tuple[str, ...]:
    lines = [line.split(" #")[0].rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    place = next((index for index, line in enumerate(lines) if line.startswith("names:")), None)
    if place is None:
        return ()
    names = _entries(lines[place].removeprefix("names:").strip(), lines[place + 1 :])
    if names is None:
        raise DatasetError(f"the names in {path!r} cannot be read; they are {_FORMS}")
    count = next((line.removeprefix("nc:").strip() for line in lines if line.startswith("nc:")), None)
    if count is not None and names and count != str(len(names)):
        raise DatasetError(f"{path!r} has nc: {count} and {len(names)} names; they have to be as many")
    return names


def _entries(rest: str, below: list[str]) -> tuple[str, ...] | None:
    """The names behind ``names:`` and in the lines ``below`` it; ``None`` where they are broken."""
    closing = {"[": "]", "{": "}"}.get(rest[:1])
    if closing is not None:
        inner, closed, _ = " ".join([rest[1:], *below]).partition(closing)
        items = [item.strip() for item in inner.split(",") if item.strip()]
        if not closed:
            return None
        return _unquoted(items) if closing == "]" else _by_number(items)
    if rest:
        return None
    items = []
    for line in below:
        if line.strip() and not line.startswith((" ", "\t", "-")):
            break
        items += [line.strip()] if line.strip() else []
    dashed = [item.removeprefix("-") for item in items if item.startswith("-")]
    return _unquoted(dashed) if dashed and len(dashed) == len(items) else _by_number(items)


def _by_number(items: list[str]) -> tuple[str, ...] | None:
    """Of entries ``0: dog``, in the order of their numbers, of which none may lack."""
    found = [_NUMBERED.fullmatch(item) for item in items]
    numbered = {int(match[1]): match[2] for match in found if match is not None}
    if len(numbered) != len(items) or sorted(numbered) != list(range(len(items))):
        return None
    return _unquoted([numbered[index] for index in range(len(items))])


def _unquoted(items: list[str]) -> tuple[str, ...] | None:
    names = tuple(item.strip().strip("'\"").strip() for item in items)
    return names if all(names) else None
