"""From the outputs of a network to points, in shares of its input's sides."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.metrics.figures import softmax
from edgevision.runtime.tasks.keypoints.spec import Activation, Coding, KeypointHead, Number, Refinement, Unit

Array = NDArray[np.float32]

# What a logarithm is taken of is at least this part of the highest.
_LEAST = 1e-6
_NEAR = 0.1
"""Of a side of the input: a point that is no farther from where it was found is near it."""


def decode_points(head: KeypointHead, outputs: Mapping[str, NDArray[Any]], height: int, width: int) -> Array:
    """The points of one picture: float32 (K, 3), x and y in shares of the input's sides, and the score.

    Args:
        head: how the outputs say them.
        outputs: by name, with a batch of 1, of a network whose input is ``height`` x ``width``.

    Raises:
        ModelFileError: an output does not have the shape that the head says.
    """
    arrays = [_without_batch(head, name, outputs) for name in head.outputs]
    if head.coding is Coding.POINTS:
        points, scores = _regressed(head, arrays[0], height, width)
    elif head.coding is Coding.SIMCC:
        points, scores = _by_axis(head, arrays)
    else:
        points, scores = _on_maps(head, arrays[0])
    if head.scores is not None:
        scores = _without_batch(head, head.scores, outputs).reshape(-1)
        if len(scores) != head.points:
            raise ModelFileError(f"the output {head.scores!r} has {len(scores)} scores, and there are {head.points}")
        scores = _score(head, scores)
    return np.concatenate([points, scores[:, None]], axis=1).astype(np.float32)


def _without_batch(head: KeypointHead, name: str, outputs: Mapping[str, NDArray[Any]]) -> Array:
    if name not in outputs:
        raise ModelFileError(f"the head takes the output {name!r}, and the network has {', '.join(map(repr, outputs))}")
    array = outputs[name]
    if array.dtype.kind not in "fiu":
        raise ModelFileError(f"the output {name!r} of a head for points is {array.dtype}, not numbers")
    array = array[0] if array.ndim > 1 and array.shape[0] == 1 else array
    if head.coding is Coding.HEATMAPS and name in head.outputs and head.channels_last and array.ndim == 3:
        array = array.transpose(2, 0, 1)
    maps = head.points * (3 if head.refinement is Refinement.OFFSETS else 1)
    fits = {
        Coding.HEATMAPS: array.ndim == 3 and array.shape[0] == maps,
        Coding.SIMCC: array.ndim == 2 and array.shape[0] == head.points,
        Coding.POINTS: array.size == head.points * head.point_width,
    }
    if name in head.outputs and not fits[head.coding]:
        raise ModelFileError(
            f"the output {name!r} is {outputs[name].shape}, and {head.points} points as {head.coding} are not; see"
            " metadata.spec.head"
        )
    return array.astype(np.float32, copy=False)


def _regressed(head: KeypointHead, array: Array, height: int, width: int) -> tuple[Array, Array]:
    table = array.reshape(head.points, head.point_width)
    order = head.order
    xy: NDArray[Any] = table[:, [order.index(Number.X), order.index(Number.Y)]]
    if head.unit is Unit.PIXELS:
        xy = xy / np.array([width, height], np.float32)
    elif head.unit is Unit.CENTERED:
        xy = (xy + 1) / 2
    if Number.SCORE in order:
        return xy, _score(head, table[:, order.index(Number.SCORE)])
    return xy, np.ones(head.points, np.float32)


def _score(head: KeypointHead, values: Array) -> Array:
    if head.activation is Activation.SIGMOID:
        values = 0.5 * (1 + np.tanh(0.5 * values))
    return np.clip(values, 0, 1)


def _by_axis(head: KeypointHead, axes: list[Array]) -> tuple[Array, Array]:
    places, scores = [], []
    for lines in axes:
        peak = lines.argmax(axis=1)
        place = _refined_line(head, lines, peak)
        places.append(_shares(head, place, lines.shape[1]))
        scores.append(_peak_score(head, lines, _near(head, peak, lines.shape[1])))
    return np.stack(places, axis=1), np.minimum(*scores)


def _on_maps(head: KeypointHead, array: Array) -> tuple[Array, Array]:
    maps = array[: head.points]
    rows, columns = maps.shape[1:]
    flat = maps.reshape(head.points, -1)
    row, column = np.divmod(flat.argmax(axis=1), columns)
    every = np.arange(head.points)
    if head.refinement is Refinement.MEAN:
        shares = softmax(flat).reshape(maps.shape)
        x = shares.sum(axis=1) @ np.arange(columns, dtype=np.float32)
        y = shares.sum(axis=2) @ np.arange(rows, dtype=np.float32)
    elif head.refinement is Refinement.OFFSETS:
        x = column + array[head.points : 2 * head.points][every, row, column]
        y = row + array[2 * head.points :][every, row, column]
    elif head.refinement is Refinement.DARK:
        x, y = _dark(head, maps, row, column)
    else:
        x = _refined_line(head, maps[every, row], column)
        y = _refined_line(head, maps[every, :, column], row)
    near = _near(head, row, rows)[:, :, None] & _near(head, column, columns)[:, None]
    scores = _peak_score(head, flat, near.reshape(flat.shape))
    return np.stack([_shares(head, x, columns), _shares(head, y, rows)], axis=1), scores


def _shares(head: KeypointHead, place: NDArray[Any], cells: int) -> Array:
    """What share of a side a place in cells is."""
    return np.asarray((place + head.cell_offset - head.beyond) / (cells - 2 * head.beyond), np.float32)


def _near(head: KeypointHead, peak: NDArray[np.int64], cells: int) -> NDArray[np.bool_]:
    """(K, cells): which cells along a side are near each of the peaks."""
    reach = _NEAR * (cells - 2 * head.beyond)
    return np.asarray(np.abs(np.arange(cells) - peak[:, None]) <= reach)


def _peak_score(head: KeypointHead, lines: Array, near: NDArray[np.bool_]) -> Array:
    """Of each of the lines (K, cells): of a distribution the part of it that is ``near`` the peak, else the peak."""
    if head.has_distributions:
        return np.asarray((softmax(lines) * near).sum(axis=1))
    return _score(head, lines.max(axis=1))


def _refined_line(head: KeypointHead, lines: Array, peak: NDArray[np.int64]) -> Array:
    """Where along each of the lines (K, cells) the peak is, whose highest cell is ``peak``."""
    count = lines.shape[1]
    if head.refinement is Refinement.MEAN:
        return np.asarray(softmax(lines) @ np.arange(count, dtype=np.float32))
    if head.refinement is Refinement.NONE or count < 3:
        return peak.astype(np.float32)
    if head.refinement is Refinement.DARK:
        lines = np.log(_smoothed(lines, head.blur, axes=(1,)))
    every = np.arange(len(lines))
    inner = (peak > 0) & (peak < count - 1)
    middle = np.clip(peak, 1, count - 2)
    before, here, after = (lines[every, middle + step] for step in (-1, 0, 1))
    if head.refinement is Refinement.QUARTER:
        shift = 0.25 * np.sign(after - before)
    else:
        bend = 2 * here - before - after
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(bend > 0, np.clip(0.5 * (after - before) / bend, -0.5, 0.5), 0)
    return np.asarray(peak + np.where(inner, shift, 0), np.float32)


def _dark(head: KeypointHead, maps: Array, row: NDArray[np.int64], column: NDArray[np.int64]) -> tuple[Array, Array]:
    """x and y of the peaks: m - H^-1 g of the logarithm at the highest cell m, where that is inside the map."""
    logs = np.log(_smoothed(maps, head.blur, axes=(1, 2)))
    every = np.arange(len(maps))
    rows, columns = maps.shape[1:]
    if min(rows, columns) < 3:
        return np.asarray(column, np.float32), np.asarray(row, np.float32)
    y, x = np.clip(row, 1, rows - 2), np.clip(column, 1, columns - 2)

    def at(down: int, right: int) -> Array:
        values: Array = logs[every, y + down, x + right]
        return values

    gx, gy = (at(0, 1) - at(0, -1)) / 2, (at(1, 0) - at(-1, 0)) / 2
    xx, yy = at(0, 1) - 2 * at(0, 0) + at(0, -1), at(1, 0) - 2 * at(0, 0) + at(-1, 0)
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    determinant = xx * yy - xy * xy
    usable = (determinant > 1e-12) & (xx < 0) & (row == y) & (column == x)
    safe = np.where(usable, determinant, 1)
    dx, dy = -(yy * gx - xy * gy) / safe, -(xx * gy - xy * gx) / safe
    # A step of more than a cell is one off a map that has no peak there.
    return (
        np.asarray(column + np.where(usable, np.clip(dx, -1, 1), 0), np.float32),
        np.asarray(row + np.where(usable, np.clip(dy, -1, 1), 0), np.float32),
    )


def _smoothed(maps: Array, blur: float, axes: tuple[int, ...]) -> Array:
    """Each map smoothed by a Gaussian, its highest value kept, and made positive."""
    smooth = maps
    if blur > 0:
        reach = max(1, round(3 * blur))
        window = np.exp(-((np.arange(-reach, reach + 1) / blur) ** 2) / 2)
        window /= window.sum()
        for axis in axes:
            ends = [(reach, reach) if axis == own else (0, 0) for own in range(maps.ndim)]
            padded = np.pad(smooth, ends)
            cells = smooth.shape[axis]
            smooth = sum(
                weight * np.take(padded, range(step, step + cells), axis=axis) for step, weight in enumerate(window)
            )
    inner = tuple(range(1, maps.ndim))
    highest = maps.max(axis=inner, keepdims=True)
    peak = smooth.max(axis=inner, keepdims=True)
    scaled = smooth * np.where(peak > 0, highest / np.where(peak > 0, peak, 1), 1)
    return np.asarray(np.maximum(scaled, np.maximum(highest, _LEAST) * _LEAST), np.float32)
