"""From the outputs of a detector to rows: one for each place where a box could be."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.runtime.tasks.detection.spec import Arrangement, Field, HeadSpec, Level, OutputPart

Array = NDArray[np.float32]
Rows = dict[Field, Array]
"""What stands in the rows, (rows, width) for each field."""


def grid_size(level: Level, height: int, width: int) -> tuple[int, int]:
    """The cells (rows, columns) of a level over an input of that size; one that is cut off counts."""
    return -(-height // level.stride), -(-width // level.stride)


def gather_rows(head: HeadSpec, outputs: Mapping[str, NDArray[Any]], height: int, width: int) -> Rows:
    """The rows of one picture, of the outputs by name with a batch of 1; the network's input is ``height`` x ``width``.

    Raises:
        ModelFileError: an output does not have the rows or columns that the head says.
    """
    rows: Rows = {}
    for part in head.parts:
        arrays = [_without_batch(part, name, outputs) for name in part.outputs]
        if part.fields == (Field.COUNT,):
            rows[Field.COUNT] = arrays[0].reshape(1, -1)[:, :1]
            continue
        levels: Sequence[Level | None] = head.levels if len(arrays) > 1 or head.coding.has_priors else (None,)
        if part.arrangement in (Arrangement.ROWS, Arrangement.COLUMNS):
            tables = [array if part.arrangement is Arrangement.ROWS else array.T for array in arrays]
        else:
            places = levels if len(levels) == len(arrays) else (None,) * len(arrays)
            tables = [
                table
                for name, array, level in zip(part.outputs, arrays, places, strict=True)
                for table in _from_map(head, part, name, array, level, (height, width))
            ]
        table = np.concatenate(tables) if len(tables) > 1 else tables[0]
        _split(head, part, table, rows)
    counts = {field: len(values) for field, values in rows.items() if field is not Field.COUNT}
    if head.coding.has_priors:
        cells = [np.prod(grid_size(level, height, width)) * level.per_cell for level in head.levels]
        expected = int(sum(cells))
    else:
        expected = next(iter(counts.values()))
    for field, count in counts.items():
        if count != expected:
            raise ModelFileError(
                f"the head has {expected} rows for a picture of {width}x{height}, and {field} has {count}: its levels,"
                " strides or anchors are others; see metadata.spec.head"
            )
    return _answers(rows)


def _without_batch(part: OutputPart, name: str, outputs: Mapping[str, NDArray[Any]]) -> Array:
    if name not in outputs:
        raise ModelFileError(f"the head takes the output {name!r}, and the network has {', '.join(map(repr, outputs))}")
    array = outputs[name]
    if array.dtype.kind not in "fiu":
        raise ModelFileError(f"the output {name!r} of a detector's head is {array.dtype}, not numbers")
    ranks = {Arrangement.ROWS: 2, Arrangement.COLUMNS: 2, Arrangement.ANCHORS: 4}
    rank = ranks.get(part.arrangement, 3)
    if part.arrangement is Arrangement.ROWS and part.fields[0] is not Field.COUNT:
        # Lists of one number a row lack the side of the columns, and what NMS gives the batch.
        if array.ndim == 1 or (array.ndim == 2 and array.shape[0] == 1 and len(part.fields) == 1):
            array = array.reshape(-1, 1)
        elif array.ndim == 2:
            array = array[None]
        elif array.ndim == 4 and array.shape[:2] == (1, 1) and Field.SCORE in part.fields:  # answers (Caffe's SSD)
            array = array[0]
        elif array.ndim == 4 and array.shape[2] == 1:  # boxes of classes that share them (pytorch-YOLOv4)
            array = array[:, :, 0]
    if part.fields == (Field.COUNT,):
        return array.reshape(-1).astype(np.float32)
    if array.ndim == rank + 1 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != rank:
        raise ModelFileError(
            f"the output {name!r} is {array.shape}, which is no {part.arrangement} of one picture; see"
            " metadata.spec.head.parts"
        )
    return array.astype(np.float32, copy=False)


def _from_map(
    head: HeadSpec, part: OutputPart, name: str, array: Array, level: Level | None, size: tuple[int, int]
) -> list[Array]:
    """A map of one level as tables of rows, cell by cell, or one for each anchor as the head has it."""
    anchors = level.per_cell if level is not None else 1
    if part.arrangement is Arrangement.NHWC:
        array = array.transpose(2, 0, 1)
    if part.arrangement is not Arrangement.ANCHORS:
        channels, rows, columns = array.shape
        if channels % anchors:
            raise ModelFileError(f"the output {name!r} has {channels} channels, which {anchors} anchors do not share")
        maps = array.reshape(anchors, channels // anchors, rows, columns).transpose(0, 2, 3, 1)
    else:
        maps = array
        if len(maps) != anchors:
            raise ModelFileError(f"the output {name!r} has {len(maps)} anchors, and the head has {anchors}")
    if level is not None and maps.shape[1:3] != grid_size(level, *size):
        expected = "x".join(map(str, grid_size(level, *size)))
        raise ModelFileError(
            f"the output {name!r} has {maps.shape[1]}x{maps.shape[2]} cells, and a stride of {level.stride} over"
            f" {size[0]}x{size[1]} gives {expected}"
        )
    if head.anchors_last:
        return [maps.transpose(1, 2, 0, 3).reshape(-1, maps.shape[-1])]
    # What lies channel by channel stays so: to bring all of it into the order of rows would take longest.
    return [anchor.reshape(-1, maps.shape[-1]) for anchor in maps]


def _split(head: HeadSpec, part: OutputPart, table: Array, rows: Rows) -> None:
    known = sum(head.width(field) for field in part.fields if field is not Field.SCORES)
    left = table.shape[1] - known
    if left < 0 or (left == 0) == (Field.SCORES in part.fields):
        more = " and the classes'" if Field.SCORES in part.fields else ""
        raise ModelFileError(
            f"{', '.join(part.outputs[:3])} has {table.shape[1]} columns, and {', '.join(part.fields)} take"
            f" {known}{more}"
        )
    start = 0
    for field in part.fields:
        width = left if field is Field.SCORES else head.width(field)
        if field is not Field.SKIP:
            rows[field] = table[:, start : start + width]
        start += width


def _answers(rows: Rows) -> Rows:
    """Without what stands behind the number of answers."""
    count = rows.pop(Field.COUNT, None)
    if count is None:
        return rows
    number = int(np.clip(count[0, 0], 0, min(map(len, rows.values()))))
    return {field: values[:number] for field, values in rows.items()}
