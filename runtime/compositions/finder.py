"""Finding things in pictures with a model of any task that gives masks or boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import InputError, ModelFileError
from edgevision.imaging.components import component_at
from edgevision.imaging.pictures import Picture
from edgevision.imaging.resampling import resized
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.load import ModelPath, load
from edgevision.runtime.shipped_models import resolve_model, shipped_model, shipped_names
from edgevision.runtime.tasks.pipeline import check_classes, findable
from edgevision.runtime.tasks.task import Finding

Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]

SUBJECT = "person"
"""What is meant where nothing is said."""

# The longer side of what the models see: they make it smaller still, and in all of a large picture take much memory.
_SEEN_SIDE = 1280
# An error lists no more classes.
_MOST_CLASSES = 30


class _Found(Protocol):
    """What the pipelines of all such tasks answer."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    size: tuple[int, int]

    @property
    def names(self) -> tuple[str, ...]: ...


@runtime_checkable
class _Masked(Protocol):
    masks: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Thing:
    """One thing in a picture.

    Attributes:
        label, score: what it is, and how sure the model is of that, 0..1.
        box: x1, y1, x2, y2 in pixels of the picture.
        mask: bool (h, w), over the whole of the picture at the size that the model saw.
    """

    label: str
    score: float
    box: Box
    mask: Mask


class Finder:
    """A model that finds things; call it on a picture.

    Attributes:
        pipeline: of a task that gives masks or boxes.
        labels: the classes that it knows.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.labels: tuple[str, ...] = findable(pipeline)

    @classmethod
    def open(
        cls,
        device: str = "cpu",
        *,
        segmenter: ModelPath | None = None,
        detector: ModelPath | None = None,
        classes: Sequence[str] = (),
        findings: tuple[Finding, ...] = ("masks", "boxes"),
        min_score: float | None = None,
        **options: Any,
    ) -> Self:
        """Open the named model, or of those that ship the first that knows the classes, masks before boxes.

        Without classes it is one that knows persons.

        Raises:
            InputError: both models are named, or a model that finds no such thing, or none that ships knows a class.
        """
        if segmenter is not None and detector is not None:
            raise InputError("either a segmenter or a detector finds things, not both; name one of them")
        if segmenter is not None:
            path = _checked(segmenter, "masks")
        elif detector is not None:
            path = _checked(detector, "boxes")
        else:
            path = shipped_for(classes or (SUBJECT,), findings)
        finder = cls(load(path, device, min_score=min_score, **options))
        try:
            check_classes(finder.pipeline, classes)
        except InputError:
            finder.close()
            raise
        return finder

    def __call__(self, picture: Picture) -> list[Thing]:
        """All things in ``picture``, in the order of the model, which is that of their scores where they are apart."""
        seen = _seen(picture)
        found = cast(_Found, self.pipeline(seen))
        down, across = picture.height / found.size[0], picture.width / found.size[1]
        things = []
        for row, (label, score, box) in enumerate(zip(found.names, found.scores, found.boxes.tolist(), strict=True)):
            x1, y1, x2, y2 = box
            if isinstance(found, _Masked):
                mask = found.masks[row].in_picture(found.size)
            else:
                mask = np.zeros(found.size, np.bool_)
                mask[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
            scaled = (x1 * across, y1 * down, x2 * across, y2 * down)
            things.append(Thing(label, float(score), scaled, mask))
        return things

    def close(self) -> None:
        """Free the model."""
        self.pipeline.close()


def things_at(things: Sequence[Thing], point: tuple[float, float], size: tuple[int, int]) -> Mask | None:
    """The mask of the smallest thing under ``point`` (x, y) of a picture of ``size``; ``None`` where there is none.

    Of all that is of one class it is the part that hangs together there.
    """
    under = []
    for thing in things:
        rows, columns = thing.mask.shape
        x, y = int(point[0] * columns / size[1]), int(point[1] * rows / size[0])
        if thing.mask[y, x]:
            under.append(component_at(thing.mask, x, y))
    return min(under, key=np.count_nonzero, default=None)


def mask_at_size(mask: Mask, size: tuple[int, int]) -> Mask:
    """``mask`` over the whole of a picture of ``size`` (height, width), its border smooth."""
    return mask if mask.shape == size else resized(mask.astype(np.float32), size) >= 0.5


def model_for(finding: Finding) -> str:
    """The names of the tasks whose models find things in that way, for a message."""
    return " or ".join(name for name in task_names() if find_task(name).finds == finding)


def _checked(model: ModelPath, finding: Finding) -> Path:
    path = resolve_model(model)
    task = require_metadata(path).task
    if find_task(task).finds != finding:
        raise ModelFileError(f"{str(path)!r} is for {task}; a model that gives {finding} is for {model_for(finding)}")
    return path


def shipped_for(classes: Sequence[str], findings: tuple[Finding, ...]) -> Path:
    """Of the models that ship the first that knows ``classes``; :class:`InputError` where none does."""
    known: list[str] = []
    for finding in findings:
        for name in shipped_names():
            metadata = require_metadata(shipped_model(name))
            if find_task(metadata.task).finds != finding:
                continue
            labels = findable(metadata.spec)
            if all(wanted in labels for wanted in classes):
                return shipped_model(name)
            known += [label for label in labels if label not in known]
    wanted = ", ".join(map(repr, classes))
    others = f"; classes that are known: {', '.join(known[:_MOST_CLASSES])}" if known else ""
    ways = " or ".join({"masks": "a segmenter", "boxes": "a detector"}[finding] for finding in findings)
    raise InputError(f"no model that ships knows {wanted}; name {ways} that does{others}")


def _seen(picture: Picture) -> Image.Image:
    """The picture as models see it, on white where it is transparent, and not too large."""
    scale = _SEEN_SIDE / max(picture.height, picture.width)
    if scale >= 1:
        return picture.to_pillow()
    size = (max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    pixels = resized(picture.pixels, size)
    alpha = None if picture.alpha is None else resized(picture.alpha, size)
    return Picture(pixels, alpha).to_pillow()
