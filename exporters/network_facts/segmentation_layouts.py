"""The heads of segmentation networks that people export, told by their outputs' names, shapes and values."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.network_facts.detection_layouts import STRIDES, cell_count
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range, sums_to_one
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    OutputPart,
    Scores,
)
from edgevision.runtime.tasks.segmentation.spec import Channels, MapField, MapPart, SegmentationHead, SegmentationSpec

Array = NDArray[Any]


def _foreground(sample: Sample) -> SegmentationSpec | None:
    """How likely each pixel belongs to the foreground: (1, 1, h, w) or (1, h, w, 1), of several alike the first."""
    name = _first_of_alike(sample, lambda array: _maps(sample, array, Channels.FIRST, 1) is not None)
    if name is None or sample.outputs[name].dtype.kind != "f" or sample.labels > 2:
        return None
    values = sample.outputs[name]
    if _are_indices(values) and values.max() > 1:
        return None
    activation = Scores.NONE if in_unit_range(values) else Scores.SIGMOID
    part = MapPart(output=name, fields=(MapField.FOREGROUND,), activation=activation)
    return SegmentationSpec(head=SegmentationHead(maps=(part,)), labels=("background", "foreground"))


def _class_map(sample: Sample) -> SegmentationSpec | None:
    """The index of each pixel's class: whole numbers (1, h, w) or (1, 1, h, w)."""
    name = _first_of_alike(sample, lambda array: _maps(sample, array, Channels.FIRST, 1) is not None)
    if name is None:
        return None
    values = sample.outputs[name]
    if values.dtype.kind == "f" and (not _are_indices(values) or (values.max() <= 1 and sample.labels <= 2)):
        return None
    return SegmentationSpec(head=SegmentationHead(maps=(MapPart(output=name, fields=(MapField.CLASS,)),)))


def _scores(channels: Channels) -> Callable[[Sample], SegmentationSpec | None]:
    """A recogniser of a map for each class, of which the highest is the answer."""

    def recognise(sample: Sample) -> SegmentationSpec | None:
        name = _first_of_alike(sample, lambda array: _maps(sample, array, channels, None) is not None)
        if name is None:
            return None
        maps = _maps(sample, sample.outputs[name], channels, None)
        if maps is None or (sample.labels and sample.labels != len(maps)):
            return None
        activation = Scores.NONE if sums_to_one(maps, axis=0) or in_unit_range(maps) else Scores.SOFTMAX
        part = MapPart(output=name, fields=(MapField.SCORES,), channels=channels, activation=activation)
        pair = len(maps) == 2
        head = SegmentationHead(maps=(part,), background=0 if pair else None)
        return SegmentationSpec(head=head, labels=("background", "foreground") if pair else ())

    where = {Channels.FIRST: "(1, classes, h, w)", Channels.LAST: "(1, h, w, classes)"}[channels]
    recognise.__doc__ = f"A map of scores for each class, of several outputs alike the first: {where}."
    return recognise


def _boxed(fields: tuple[Field, ...], per_cell: int) -> Callable[[Sample], SegmentationSpec | None]:
    """A recogniser of decoded boxes whose last numbers are coefficients of the prototypes in the other output."""

    def recognise(sample: Sample) -> SegmentationSpec | None:
        prototypes = [name for name, array in sample.outputs.items() if array.ndim == 4 and array.shape[0] == 1]
        tables = [name for name, array in sample.outputs.items() if array.ndim == 3 and array.shape[0] == 1]
        if len(sample.outputs) != 2 or len(prototypes) != 1 or len(tables) != 1:
            return None
        count = sample.outputs[prototypes[0]].shape[1]
        rows = per_cell * cell_count(sample, *STRIDES)
        table, prototype = sample.outputs[tables[0]][0], sample.outputs[prototypes[0]]
        if rows not in table.shape or _maps(sample, prototype, Channels.FIRST, count) is None:
            return None
        arrangement = Arrangement.ROWS if table.shape[0] == rows else Arrangement.COLUMNS
        table = table if arrangement is Arrangement.ROWS else table.T
        classes = table.shape[1] - (5 if Field.OBJECTNESS in fields else 4) - count
        if classes < 1 or (sample.labels and sample.labels != classes) or not in_unit_range(table[:, 4:-count]):
            return None
        part = OutputPart(outputs=(tables[0],), fields=fields, arrangement=arrangement)
        head = HeadSpec(parts=(part,), coding=BoxCoding.CENTER, coefficients=count)
        masks = MapPart(output=prototypes[0], fields=(MapField.PROTOTYPES,))
        return SegmentationSpec(head=SegmentationHead(maps=(masks,), boxes=DetectionSpec(head=head)))

    numbers = "box, objectness, classes, coefficients" if Field.OBJECTNESS in fields else "box, classes, coefficients"
    recognise.__doc__ = f"Decoded rows of {numbers}, and prototypes (1, coefficients, h, w)."
    return recognise


LAYOUTS: Mapping[str, Callable[[Sample], SegmentationSpec | None]] = {
    "foreground": _foreground,
    "class-map": _class_map,
    "scores": _scores(Channels.FIRST),
    "scores-last": _scores(Channels.LAST),
    "yolov8-seg": _boxed((Field.BOX, Field.SCORES, Field.COEFFICIENTS), 1),
    "yolov5-seg": _boxed((Field.BOX, Field.OBJECTNESS, Field.SCORES, Field.COEFFICIENTS), 3),
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""


def _first_of_alike(sample: Sample, fits: Callable[[Array], bool]) -> str | None:
    """The first output, where all fit: networks that are trained on several give the best one first.

    One that is called auxiliary is none of them.
    """
    names = [name for name in sample.outputs if "aux" not in name.lower()] or list(sample.outputs)
    if not all(fits(array) for array in sample.outputs.values()):
        return None
    channels = {sample.outputs[name].shape[1] for name in names}
    return names[0] if len(channels) == 1 or len(names) == 1 else None


def _maps(sample: Sample, array: Array, channels: Channels, count: int | None) -> Array | None:
    """An output as (channels, height, width), where it is maps over the input of that ``count``, or of several."""
    if array.ndim not in (3, 4) or array.shape[0] != 1:
        return None
    maps = array[0]
    if maps.ndim == 2:
        maps = maps[None]
    elif (count == 1 and maps.shape[2] == 1) or channels is Channels.LAST:
        maps = maps.transpose(2, 0, 1)
    if (len(maps) != count) if count is not None else len(maps) < 2:
        return None
    ratios = sample.height / maps.shape[1], sample.width / maps.shape[2]
    # A stride cuts sides off to whole numbers, by less than one of its cells.
    alike = abs(ratios[0] - ratios[1]) <= max(ratios) / min(maps.shape[1:])
    return maps if alike and min(ratios) >= 0.5 and max(ratios) <= 32 else None


def _are_indices(values: Array) -> bool:
    return bool((values == np.rint(values)).all()) and float(values.min()) >= 0
