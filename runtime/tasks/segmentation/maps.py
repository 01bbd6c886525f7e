"""From the outputs of a segmentation network to maps, and from its pixels to those of the picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ModelFileError
from edgevision.imaging.preprocessing import Placement
from edgevision.metrics.figures import softmax
from edgevision.runtime.tasks.detection.decoding import sigmoid
from edgevision.runtime.tasks.detection.spec import Scores
from edgevision.runtime.tasks.segmentation.spec import Channels, MapField, MapPart, SegmentationHead

Array = NDArray[np.float32]
Maps = dict[MapField, Array]
"""The channels of each field, (channels, height, width); probabilities where the head says how they become some."""


_ROWS = 32
"""That are made probabilities of at once."""


def gather_maps(head: SegmentationHead, outputs: Mapping[str, NDArray[Any]]) -> Maps:
    """The maps of one picture, of the outputs by name with a batch of 1.

    Raises:
        ModelFileError: an output does not have the channels that the head says.
    """
    maps: Maps = {}
    for part in head.maps:
        channels = _channels(part, outputs)
        left = len(channels) - sum(not field.is_several for field in part.fields)
        fields = [field for field in part.fields for _ in range(left if field.is_several else 1)]
        if len(fields) != len(channels) or (left == 0) == any(field.is_several for field in part.fields):
            raise ModelFileError(
                f"the output {part.output!r} has {len(channels)} channels, which are not {', '.join(part.fields)}; see"
                " metadata.spec.head.maps"
            )
        probable = [index for index, field in enumerate(fields) if field.is_probability]
        _activate(channels, probable, part.activation)
        for field in part.fields:
            maps[field] = channels[fields.index(field) :][: fields.count(field)]
    maps.pop(MapField.SKIP, None)
    return maps


def _channels(part: MapPart, outputs: Mapping[str, NDArray[Any]]) -> Array:
    """An output as float32 (channels, height, width), a copy where it is to be changed."""
    if part.output not in outputs:
        names = ", ".join(map(repr, outputs))
        raise ModelFileError(f"the head takes the output {part.output!r}, and the network has {names}")
    array = outputs[part.output]
    if array.dtype.kind not in "fiub":
        raise ModelFileError(f"the output {part.output!r} of a segmentation head is {array.dtype}, not numbers")
    given = array.shape
    if array.ndim in (3, 4) and given[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and part.channels is Channels.LAST:
        array = array.transpose(2, 0, 1)
    if array.ndim != 3 or 0 in array.shape:
        raise ModelFileError(f"the output {part.output!r} is {given}, which are no maps of one picture")
    if part.activation is Scores.NONE:
        return np.asarray(array, np.float32)
    return np.array(array, np.float32, order="C")


def _activate(channels: Array, probable: list[int], activation: Scores) -> None:
    """Make probabilities of the ``probable`` of the channels, in place and some rows at a time: there may be many."""
    if activation is Scores.NONE or not probable:
        return
    with np.errstate(invalid="ignore"):  # of what is not finite comes NaN, which is refused
        for start in range(0, channels.shape[1], _ROWS):
            rows = channels[probable, start : start + _ROWS]
            channels[probable, start : start + _ROWS] = (
                softmax(rows, axis=0) if activation is Scores.SOFTMAX else sigmoid(rows)
            )


class MapPlacement:
    """Where a picture's pixels lie in maps over the network's input."""

    def __init__(self, place: Placement, size: tuple[int, int], input_size: tuple[int, int]) -> None:
        """Of a picture of ``size`` (height, width) that lies at ``place`` in an input of ``input_size``."""
        self.size, self.input_size = size, input_size
        self._place = place
        # What a crop leaves out nobody has seen.
        spans = [
            (max(0.0, -offset / scale), min(float(side), (inner - offset) / scale))
            for offset, scale, side, inner in zip(place.offset, place.scale, size[::-1], input_size[::-1], strict=True)
        ]
        (left, right), (top, bottom) = ((round(low), max(round(low) + 1, round(high))) for low, high in spans)
        self.seen = (slice(top, bottom), slice(left, right))

    def box(self, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is seen of the picture in a map of that ``shape`` (height, width)."""
        rows, columns = self.seen
        edges = []
        for (start, stop), offset, scale, side, cells in zip(
            ((columns.start, columns.stop), (rows.start, rows.stop)),
            self._place.offset,
            self._place.scale,
            self.input_size[::-1],
            shape[::-1],
            strict=True,
        ):
            low, high = ((edge * scale + offset) * cells / side for edge in (start, stop))
            low = min(max(low, 0.0), cells - 1e-3)
            edges.append((low, min(max(high, low + 1e-3), float(cells))))
        return edges[0][0], edges[1][0], edges[0][1], edges[1][1]

    def box_in_picture(self, box: NDArray[np.float32]) -> tuple[int, int, int, int]:
        """The pixels x1, y1, x2, y2 of the picture that a box in pixels of the input covers at least half of."""
        edges = (box.reshape(2, 2) - np.array(self._place.offset)) / np.array(self._place.scale)
        (x1, y1), (x2, y2) = np.rint(edges).clip(0, self.size[::-1]).astype(int).tolist()
        return x1, y1, x2, y2

    def to_window(self, values: NDArray[np.float32], window: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """A map (height, width), bilinearly, at the pixels of x1, y1, x2, y2 of the picture, (y2 - y1, x2 - x1).

        What lies outside of the map is what is at its edge.
        """
        x1, y1, x2, y2 = window
        axes = []
        for (low, high), offset, scale, side, cells in zip(
            ((y1, y2), (x1, x2)),
            self._place.offset[::-1],
            self._place.scale[::-1],
            self.input_size,
            values.shape,
            strict=True,
        ):
            middles = ((np.arange(low, high) + 0.5) * scale + offset) * cells / side - 0.5
            axes.append(np.clip(middles, 0, cells - 1).astype(np.float32))
        (top, below), (left, beside) = ((axis.astype(int), axis % 1) for axis in axes)
        down, right = np.minimum(top + 1, values.shape[0] - 1), np.minimum(left + 1, values.shape[1] - 1)
        rows = values[top] * (1 - below[:, None]) + values[down] * below[:, None]
        window_values: NDArray[np.float32] = rows[:, left] * (1 - beside) + rows[:, right] * beside
        return window_values

    def to_picture(self, values: NDArray[Any], *, smooth: bool = True) -> NDArray[Any]:
        """A map (height, width) at the pixels of the picture that are :attr:`seen`; numbers that name things are not
        smoothed."""
        rows, columns = self.seen
        target = (columns.stop - columns.start, rows.stop - rows.start)
        box = self.box(values.shape)
        if values.shape == target[::-1] and box == (0.0, 0.0, float(target[0]), float(target[1])):
            return values
        if smooth:
            image = Image.fromarray(np.ascontiguousarray(values, np.float32))
            return np.asarray(image.resize(target, Image.Resampling.BILINEAR, box=box))
        left, top, right, bottom = box
        down = top + (np.arange(target[1]) + 0.5) * (bottom - top) / target[1]
        across = left + (np.arange(target[0]) + 0.5) * (right - left) / target[0]
        rows_taken = np.minimum(down.astype(int), values.shape[0] - 1)
        columns_taken = np.minimum(across.astype(int), values.shape[1] - 1)
        taken: NDArray[Any] = values[rows_taken[:, None], columns_taken]
        return taken
