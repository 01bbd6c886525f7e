"""Masks of things in a picture, each held as the part of the picture that it covers."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.run_lengths import RunLengths, encode_mask
from edgevision.metrics.box_overlap import intersection_over_union


class CroppedMask:
    """The mask of one thing: of the part of the picture whose upper left pixel is at ``x``, ``y``.

    The rows and columns at its edges hold at least one pixel each, unless there is none at all.
    """

    def __init__(self, part: NDArray[Any], x: int, y: int, number: int | None = None) -> None:
        """Of what ``part`` (height, width), of bool, marks, or of where it holds ``number``.

        The latter takes no memory of its own, of which many classes all over a large picture would take much.
        """
        self._part, self._number = part, number
        self.x, self.y = x, y

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """bool (height, width); of a part of numbers it is made anew each time."""
        return self._part if self._number is None else self._part == self._number

    @classmethod
    def of(cls, mask: NDArray[np.bool_], x: int = 0, y: int = 0) -> "CroppedMask":
        """What ``mask`` marks, whose upper left pixel is at ``x``, ``y``."""
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return cls(np.zeros((0, 0), bool), x, y)
        part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(part, x + int(columns[0]), y + int(rows[0]))

    @cached_property
    def area(self) -> int:
        """How many pixels it has."""
        return int(np.count_nonzero(self.pixels))

    def moved(self, x: int, y: int) -> "CroppedMask":
        """The same mask so many pixels further right and down."""
        return CroppedMask(self._part, self.x + x, self.y + y, self._number)

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the picture that it lies in."""
        height, width = self._part.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2: the edges of its pixels."""
        height, width = self._part.shape
        return self.x, self.y, self.x + width, self.y + height

    def in_picture(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask in a picture of ``size`` (height, width)."""
        whole = np.zeros(size, bool)
        whole[self.window] = self.pixels
        return whole

    @classmethod
    def union(cls, masks: "Sequence[CroppedMask]") -> "CroppedMask":
        """What any of ``masks``, of one picture, marks."""
        boxes = np.array([mask.box for mask in masks])
        (left, top), (right, bottom) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        whole = np.zeros((bottom - top, right - left), bool)
        for mask in masks:
            x1, y1, x2, y2 = mask.box
            whole[y1 - top : y2 - top, x1 - left : x2 - left] |= mask.pixels
        return cls(whole, left, top)

    def inside(self, box: tuple[int, int, int, int]) -> "CroppedMask":
        """What of it lies in ``box``, x1, y1, x2, y2 of the picture."""
        x1, y1, x2, y2 = box
        left, top = max(x1 - self.x, 0), max(y1 - self.y, 0)
        pixels = self.pixels[top : max(y2 - self.y, 0), left : max(x2 - self.x, 0)]
        return CroppedMask.of(pixels, self.x + left, self.y + top)

    def shared_with(self, other: "CroppedMask") -> int:
        """How many pixels both have."""
        (x1, y1, x2, y2), (x3, y3, x4, y4) = self.box, other.box
        left, top, right, bottom = max(x1, x3), max(y1, y3), min(x2, x4), min(y2, y4)
        if left >= right or top >= bottom:
            return 0
        ours = self.pixels[top - y1 : bottom - y1, left - x1 : right - x1]
        theirs = other.pixels[top - y3 : bottom - y3, left - x3 : right - x3]
        return int(np.count_nonzero(ours & theirs))

    def encode(self, size: tuple[int, int]) -> RunLengths:
        """COCO's run lengths of it in a picture of ``size`` (height, width)."""
        return encode_mask(self.pixels, size, (self.x, self.y))


def split_ids(ids: NDArray[Any]) -> dict[int, CroppedMask]:
    """The mask of each number but 0 in a map (height, width) of whole numbers, in the order of the numbers.

    The masks look into the map, which is not to be changed after.
    """
    height, width = ids.shape
    if not ids.size:
        return {}
    # By runs along rows, of which there are few: by pixels a large map would take many times its own memory.
    changes = np.ones(ids.shape, bool)
    np.not_equal(ids[:, 1:], ids[:, :-1], out=changes[:, 1:])
    begins = np.flatnonzero(changes)
    lengths = np.diff(begins, append=height * width)
    values = ids[changes]
    order = np.argsort(values, kind="stable")
    order = order[values[order] != 0]
    if not len(order):
        return {}
    values, (rows, columns), lengths = values[order], np.divmod(begins[order], width), lengths[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    # Of each number the rows are in order, the columns not.
    tops, bottoms = rows[starts], rows[np.append(starts[1:], len(rows)) - 1] + 1
    lefts, rights = np.minimum.reduceat(columns, starts), np.maximum.reduceat(columns + lengths, starts)
    found = {}
    for number, top, bottom, left, right in zip(
        values[starts].tolist(), tops.tolist(), bottoms.tolist(), lefts.tolist(), rights.tolist(), strict=True
    ):
        found[number] = CroppedMask(ids[top:bottom, left:right], left, top, number)
    return found


def paint_ids(masks: Sequence[CroppedMask], size: tuple[int, int]) -> NDArray[np.int32]:
    """The number of the mask, from 1, at each pixel of a picture; where they overlap the earlier ones are on top."""
    ids = np.zeros(size, np.int32)
    for number in range(len(masks), 0, -1):
        mask = masks[number - 1]
        ids[mask.window][mask.pixels] = number
    return ids


def mask_overlap(one: Sequence[CroppedMask], other: Sequence[CroppedMask]) -> NDArray[np.float64]:
    """Intersection over union of each of ``one`` with each of ``other``, (N, M); 0 where both are empty."""
    boxes, others = (np.array([mask.box for mask in masks], float).reshape(-1, 4) for masks in (one, other))
    shared = np.zeros((len(one), len(other)))
    # Of most pairs not even the boxes meet.
    for row, column in np.argwhere(intersection_over_union(boxes, others) > 0):
        shared[row, column] = one[row].shared_with(other[column])
    areas = np.array([mask.area for mask in one])[:, None] + np.array([mask.area for mask in other])[None]
    overlap: NDArray[np.float64] = shared / np.maximum(areas - shared, 1)
    return overlap
