"""Which things of a picture are meant: of a class, under a point, in a box, or under a mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.core.errors import ImageError, InputError
from edgevision.imaging.components import component_at
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.finder import SUBJECT, Box, Finder, Mask, Thing, things_at
from edgevision.runtime.tasks.pipeline import check_classes
from edgevision.runtime.tasks.restoration.masks import read_mask


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """What is meant; without anything it is every person, or every thing where the model knows no persons.

    Attributes:
        classes: every thing of one of these.
        points: (x, y) in pixels of the picture; the thing under each, of the classes if there are some. With a mask it
            is the part of that which hangs together there.
        boxes: x1, y1, x2, y2 in pixels of the picture; all that is in them, whatever it is.
        mask: a picture, white where things are; no model is asked.
    """

    classes: Sequence[str] = ()
    points: Sequence[tuple[float, float]] = ()
    boxes: Sequence[Box] = ()
    mask: Any = None

    @property
    def needs_model(self) -> bool:
        """Whether a :class:`Finder` has to look at the picture."""
        return self.mask is None and (bool(self.classes or self.points) or not self.boxes)

    def find(self, picture: Picture, finder: Finder | None) -> list[Mask]:
        """A mask for each thing that is meant, bool (h, w) of any size over the whole of the picture; at least one.

        Raises:
            ImageError: there is no such thing in the picture, or a point or a box is outside it.
        """
        size = picture.height, picture.width
        for x, y in self.points:
            if not (0 <= x < picture.width and 0 <= y < picture.height):
                raise ImageError(f"the point {x:g},{y:g} is outside the picture of {picture.width}x{picture.height}")
        masks = [_rectangle(box, size) for box in self.boxes]
        if self.mask is not None:
            masks += self._under_mask(read_mask(self.mask, *size))
        elif self.needs_model:
            if finder is None:
                raise InputError("no model was opened that finds things; only masks and boxes can be given")
            masks += self._found(finder, finder(picture), size)
        return masks

    def _under_mask(self, mask: Mask) -> list[Mask]:
        if not mask.any():
            raise ImageError("the mask marks nothing; white is what is meant")
        parts = [component_at(mask, int(x), int(y)) for x, y in self.points]
        for (x, y), part in zip(self.points, parts, strict=True):
            if not part.any():
                raise ImageError(f"the mask marks nothing at the point {x:g},{y:g}")
        return parts or [mask]

    def _found(self, finder: Finder, things: Sequence[Thing], size: tuple[int, int]) -> list[Mask]:
        check_classes(finder.pipeline, self.classes)
        classes = self.classes
        if not classes and not self.points and SUBJECT in finder.labels:
            classes = (SUBJECT,)
        meant = [thing for thing in things if not classes or thing.label in classes]
        if not meant:
            what = " or ".join(classes) if classes else "thing"
            raise ImageError(f"no {what} was found in it; a lower least score or another model may find more")
        if not self.points:
            return [thing.mask for thing in meant]
        masks = []
        for x, y in self.points:
            mask = things_at(meant, (x, y), size)
            if mask is None:
                found = ", ".join(sorted({thing.label for thing in meant}))
                raise ImageError(f"nothing was found at the point {x:g},{y:g}; elsewhere in it: {found}")
            masks.append(mask)
        return masks


def _rectangle(box: Box, size: tuple[int, int]) -> Mask:
    x1, y1, x2, y2 = box
    height, width = size
    if not (x1 < x2 and y1 < y2 and x1 < width and y1 < height and x2 > 0 and y2 > 0):
        raise ImageError(
            f"the box {x1:g},{y1:g},{x2:g},{y2:g} holds nothing of the picture of {width}x{height}; a box is left, top,"
            " right and bottom"
        )
    mask = np.zeros(size, np.bool_)
    mask[max(int(y1), 0) : int(np.ceil(y2)), max(int(x1), 0) : int(np.ceil(x2))] = True
    return mask


def union(masks: Sequence[Mask]) -> Mask:
    """All masks in one; they have to be of one size."""
    whole = masks[0].copy()
    for mask in masks[1:]:
        whole |= mask
    return whole
