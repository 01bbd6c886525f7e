"""Which holes are large enough for texture."""

from collections.abc import Iterator

import numpy as np

from edgevision.runtime.tasks.restoration.texture.windows import Mask

# A hole of some 60 pixels: as often halved, nothing of it is left.
_HALVINGS = 5


def large_holes(holes: Mask) -> Iterator[tuple[tuple[slice, slice], Mask]]:
    """The connected holes of ``holes`` (H, W) that the network cannot see across.

    Yields:
        The rows and columns within which a hole lies, and the hole there, bool.
    """
    pyramid = [holes]
    for _ in range(_HALVINGS):
        pyramid.append(_halved(pyramid[-1]))
    left = holes.copy() if pyramid[-1].any() else holes
    for row, column in zip(*np.nonzero(pyramid[-1]), strict=True):
        top, start = row << _HALVINGS, column << _HALVINGS
        if not left[top, start]:
            continue
        hole = _connected(left, top, start)
        left &= ~hole
        rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
        place = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        yield place, hole[place]


def _halved(holes: Mask) -> Mask:
    """A pixel belongs to a hole where all of its four did; beyond the picture all do."""
    height, width = holes.shape
    holes = np.pad(holes, [(0, height % 2), (0, width % 2)], constant_values=True)
    return holes[::2, ::2] & holes[1::2, ::2] & holes[::2, 1::2] & holes[1::2, 1::2]


def _connected(holes: Mask, row: int, column: int) -> Mask:
    """The pixels of ``holes`` that are connected with one of them."""
    found = np.zeros_like(holes)
    found[row, column] = True
    rows, columns = np.array([row]), np.array([column])
    height, width = holes.shape
    while len(rows):
        around = []
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            to_rows, to_columns = rows + down, columns + right
            inside = (to_rows >= 0) & (to_rows < height) & (to_columns >= 0) & (to_columns < width)
            to_rows, to_columns = to_rows[inside], to_columns[inside]
            new = holes[to_rows, to_columns] & ~found[to_rows, to_columns]
            to_rows, to_columns = to_rows[new], to_columns[new]
            # A pixel that is reached from two sides at once is found for the first of them.
            places, first = np.unique(to_rows * width + to_columns, return_index=True)
            found.flat[places] = True
            around.append((to_rows[first], to_columns[first]))
        rows, columns = (np.concatenate(each) for each in zip(*around, strict=True))
    return found
