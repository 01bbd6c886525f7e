"""What the layouts of detectors share: the cells of their grids, and outputs that lie over them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.network_facts.head_layouts import Sample
from edgevision.runtime.tasks.detection.rows import grid_size
from edgevision.runtime.tasks.detection.spec import Arrangement, DetectionSpec, Field, Level, OutputPart, Unit

Array = NDArray[np.float32]
Recognise = Callable[[Sample], DetectionSpec | None]

STRIDES = (8, 16, 32)
_STRIDE_SETS = (STRIDES, (8, 16, 32, 64), (16, 32), (4, 8, 16, 32))
"""Of the usual detectors, and of their kin for large pictures, for little time, and for small things."""

_RELATIVE = 4
"""Lengths in pixels of an input are larger than this somewhere, and shares of its sides nowhere."""


def levels_of(strides: tuple[int, ...], anchors: tuple[tuple[tuple[float, float], ...], ...] = ()) -> tuple[Level, ...]:
    """A level for each stride, with its anchors where there are some."""
    if not anchors:
        return tuple(Level(stride=stride) for stride in strides)
    return tuple(Level(stride=stride, anchors=own) for stride, own in zip(strides, anchors, strict=True))


def part_of(outputs: str | tuple[str, ...], *fields: Field, arrangement: Arrangement = Arrangement.ROWS) -> OutputPart:
    """Columns of rows that are in one output, or in one for each level."""
    names = (outputs,) if isinstance(outputs, str) else outputs
    return OutputPart(outputs=names, fields=fields, arrangement=arrangement)


def cell_count(sample: Sample, *strides: int) -> int:
    """The cells of grids of these strides together."""
    grids = (grid_size(Level(stride=stride), sample.height, sample.width) for stride in strides)
    return sum(rows * columns for rows, columns in grids)


class Table(NamedTuple):
    """An output of rows: its ``name``, the rows (n, columns) and how they lie in it."""

    name: str
    rows: Array
    arrangement: Arrangement


def table_of_cells(sample: Sample, per_cell: int) -> Table | None:
    """The output (1, n, columns) or (1, columns, n) with that many rows for each cell of a usual set of strides.

    Beside it there may only be maps over the grids, of which exports of training code also give what they made it of.
    """
    tables = [name for name, array in sample.outputs.items() if array.ndim == 3 and array.shape[0] == 1]
    if len(tables) != 1 or any(array.ndim < 4 for name, array in sample.outputs.items() if name != tables[0]):
        return None
    array = sample.outputs[tables[0]][0]
    for strides in _STRIDE_SETS:
        count = per_cell * cell_count(sample, *strides)
        if (array.shape[0] == count) != (array.shape[1] == count):
            first = array.shape[0] == count
            return Table(tables[0], array if first else array.T, Arrangement.ROWS if first else Arrangement.COLUMNS)
    return None


def maps_by_stride(sample: Sample, strides: tuple[int, ...], anchors: int | None = None) -> tuple[str, ...] | None:
    """The outputs (1, channels, rows, columns), one for each stride, where there are no others.

    With ``anchors`` they are (1, anchors, rows, columns, numbers).
    """
    groups = map_groups(sample, strides, 1, anchors)
    return None if groups is None else tuple(name for (name,) in groups)


def map_groups(
    sample: Sample, strides: tuple[int, ...], each: int, anchors: int | None = None
) -> list[list[str]] | None:
    """For each stride the ``each`` outputs over its grid, where there are no others; as :func:`maps_by_stride`."""
    if len(sample.outputs) != each * len(strides):
        return None
    groups = []
    for stride in strides:
        grid = grid_size(Level(stride=stride), sample.height, sample.width)
        shape = (1, None, *grid) if anchors is None else (1, anchors, *grid, None)
        groups.append(sample.of_shape(*shape))
    return groups if all(len(group) == each for group in groups) else None


def unit_of(boxes: Array) -> Unit:
    """What the lengths of decoded boxes are measured in."""
    return Unit.INPUT if 0 < float(np.abs(boxes).max(initial=0)) < _RELATIVE else Unit.PIXELS


def are_corners(boxes: Array) -> bool:
    """Whether (n, 4) are corners, which are in order nearly everywhere; offsets and centres are not."""
    return float(np.mean((boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1]))) >= 0.98


def are_indices(values: NDArray[np.generic]) -> bool:
    """Whether all values are whole numbers of 0 and more."""
    return values.size > 0 and bool((values == np.rint(values)).all()) and float(values.min()) >= 0
