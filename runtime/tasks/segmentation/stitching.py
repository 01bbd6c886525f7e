"""What a network says of overlapping windows as its answer for the whole picture."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.core.progress import track_parts
from edgevision.imaging.cropped_masks import CroppedMask, mask_overlap
from edgevision.runtime.tasks.segmentation.maps import Array
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.windows import Window

_AGREEMENT = 0.5
"""From what intersection over union on, in what two windows share, two pieces are of one thing."""


class SeenClasses(NamedTuple):
    """The class of each pixel that is seen of a window, int32 (h, w), how sure that is, and the rows and columns."""

    classes: NDArray[np.int32]
    certainty: Array
    seen: tuple[slice, slice]


def stitch_classes(
    windows: Sequence[Window], classify: Callable[[Window], SeenClasses], size: tuple[int, int], *, nothing: int
) -> tuple[NDArray[np.int32], Array]:
    """The class of each pixel of a picture of ``size`` (height, width), and how sure it is.

    Where windows overlap the surer one counts, less so the nearer the pixel is to its rim, where the network has seen
    little of what is around. ``nothing`` is the class of what no window has seen.
    """
    if len(windows) == 1:
        classes, certainty, _ = only = classify(windows[0])
        if classes.shape == size:
            return classes, certainty
        windows, classify = windows[:1], lambda window: only
    classes = np.full(size, nothing, np.int32)
    certainty = np.zeros(size, np.float32)
    strength = np.full(size, -1, np.float32)
    for window in track_parts(windows, "windows of the picture"):
        own, sure, (rows, columns) = classify(window)
        place = np.s_[
            window.top + rows.start : window.top + rows.stop, window.left + columns.start : window.left + columns.stop
        ]
        down, across = window.weights(size)
        strong = sure * down[rows, None] * across[columns]
        stronger = strong > strength[place]
        for kept, new in ((classes, own), (certainty, sure), (strength, strong)):
            np.copyto(kept[place], new, where=stronger)
    return classes, certainty


class _Piece(NamedTuple):
    """What a window shows of a thing; ``mask`` is in pixels of the picture, and ``cut`` where the window may cut it."""

    window: int
    mask: CroppedMask
    score: float
    label: int
    cut: bool


def stitch_things(parts: Sequence[tuple[Window, Segmentation]], size: tuple[int, int]) -> Segmentation:
    """The things of a picture of ``size``, the surest first, of those that each window shows, in its own pixels.

    What a window cuts through is left out where another has it whole. Of what is left, two of a class that are alike in
    what both windows show are one thing: the surest that is whole, or else all its pieces together.
    """
    pieces = _pieces(parts, size)
    groups = _of_one_thing([window for window, _ in parts], pieces)
    members: dict[int, list[_Piece]] = {}
    for piece, group in zip(pieces, groups.tolist(), strict=True):
        members.setdefault(group, []).append(piece)
    things = sorted(map(_thing, members.values()), key=lambda thing: -thing.score)
    return Segmentation(
        [thing.mask for thing in things],
        np.array([thing.score for thing in things], np.float32),
        np.array([thing.label for thing in things], np.int64),
        size=size,
        labels=parts[0][1].labels,
        background=parts[0][1].background,
    )


def _pieces(parts: Sequence[tuple[Window, Segmentation]], size: tuple[int, int]) -> list[_Piece]:
    """All but what is cut where another window has it whole, window by window."""
    pieces = []
    for number, (window, found) in enumerate(parts):
        cut = window.cuts(found.boxes, size)
        for mask, score, label, is_cut in zip(found.masks, found.scores, found.classes, cut, strict=True):
            moved = mask.moved(window.left, window.top)
            pieces.append(_Piece(number, moved, float(score), int(label), bool(is_cut)))
    boxes = np.array([piece.mask.box for piece in pieces], np.float32).reshape(-1, 4)
    whole_in_some = np.zeros(len(pieces), bool)
    for window, _ in parts:
        whole_in_some |= ~window.cuts(boxes - np.tile((window.left, window.top), 2), size)
    return [piece for piece, whole in zip(pieces, whole_in_some, strict=True) if not (piece.cut and whole)]


def _of_one_thing(windows: Sequence[Window], pieces: Sequence[_Piece]) -> NDArray[np.int64]:
    """A number for each piece, the same for those of one thing."""
    groups = np.arange(len(pieces))
    owners = np.array([piece.window for piece in pieces], int)
    boxes = np.array([piece.mask.box for piece in pieces], int).reshape(-1, 4)
    labels = np.array([piece.label for piece in pieces], int)
    for one, other, shared in _shared_frames(windows):
        there = ((boxes[:, :2] < shared[2:]) & (boxes[:, 2:] > shared[:2])).all(axis=1)
        ours, theirs = np.flatnonzero(there & (owners == one)), np.flatnonzero(there & (owners == other))
        if not len(ours) or not len(theirs):
            continue
        one_side, other_side = ([pieces[row].mask.inside(shared) for row in rows.tolist()] for rows in (ours, theirs))
        overlap = mask_overlap(one_side, other_side)
        overlap[labels[ours][:, None] != labels[theirs]] = 0
        for row, column in np.argwhere(overlap > _AGREEMENT):
            first, second = sorted((groups[ours[row]], groups[theirs[column]]))
            groups[groups == second] = first
    return groups


def _shared_frames(windows: Sequence[Window]) -> Iterator[tuple[int, int, tuple[int, int, int, int]]]:
    """The pairs of windows that overlap, by their numbers, and what both show as left, top, right and bottom."""
    frames = np.array(windows)
    for one, frame in enumerate(frames):
        low, high = np.maximum(frame[:2], frames[:, :2]), np.minimum(frame[2:], frames[:, 2:])
        for other in np.flatnonzero((low < high).all(axis=1)):
            if other > one:
                (left, top), (right, bottom) = low[other].tolist(), high[other].tolist()
                yield one, int(other), (left, top, right, bottom)


def _thing(pieces: Sequence[_Piece]) -> _Piece:
    whole = [piece for piece in pieces if not piece.cut]
    if whole:
        return max(whole, key=lambda piece: piece.score)
    if len(pieces) == 1:
        return pieces[0]
    areas = [piece.mask.area for piece in pieces]
    score = float(np.average([piece.score for piece in pieces], weights=areas))
    return pieces[0]._replace(mask=CroppedMask.union([piece.mask for piece in pieces]), score=score)
