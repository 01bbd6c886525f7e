"""The heads of segmentation networks that people export, told by their outputs' names, shapes and values."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.exporters.network_facts import boxed_mask_layouts
from edgevision.exporters.network_facts.head_layouts import (
    Sample,
    in_unit_range,
    is_named,
    maps_over_input,
    sums_to_one,
)
from edgevision.runtime.tasks.detection.spec import Scores
from edgevision.runtime.tasks.segmentation.spec import (
    Channels,
    ClusteringSpec,
    MapField,
    MapPart,
    SegmentationHead,
    SegmentationSpec,
    WatershedSpec,
)

Array = NDArray[Any]

_DISTANCE_NAMES = ("dist", "center", "centre")


def _foreground(sample: Sample) -> SegmentationSpec | None:
    """How likely each pixel belongs to the foreground: (1, 1, h, w) or (1, h, w, 1), of several alike the first."""
    name = _first_of_alike(sample, lambda array: maps_over_input(sample, array, Channels.FIRST, 1) is not None)
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
    name = _first_of_alike(sample, lambda array: maps_over_input(sample, array, Channels.FIRST, 1) is not None)
    if name is None:
        return None
    values = sample.outputs[name]
    if values.dtype.kind == "f" and (not _are_indices(values) or (values.max() <= 1 and sample.labels <= 2)):
        return None
    return SegmentationSpec(head=SegmentationHead(maps=(MapPart(output=name, fields=(MapField.CLASS,)),)))


def _scores(channels: Channels) -> Callable[[Sample], SegmentationSpec | None]:
    """A recogniser of a map for each class, of which the highest is the answer."""

    def recognise(sample: Sample) -> SegmentationSpec | None:
        name = _first_of_alike(sample, lambda array: maps_over_input(sample, array, channels, None) is not None)
        if name is None:
            return None
        maps = maps_over_input(sample, sample.outputs[name], channels, None)
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


def _embeddings(sample: Sample) -> SegmentationSpec | None:
    """A foreground or scores, and an output called embedding or instance whose numbers are alike within a thing."""
    named = [name for name in sample.outputs if is_named(name, "embed", "instance")]
    others = [name for name in sample.outputs if name not in named]
    if (
        len(named) != 1
        or len(others) != 1
        or maps_over_input(sample, sample.outputs[named[0]], Channels.FIRST, None) is None
    ):
        return None
    rest = Sample({others[0]: sample.outputs[others[0]]}, sample.height, sample.width, sample.labels)
    found = _foreground(rest) or LAYOUTS["scores"](rest)
    if found is None or found.head is None or found.head.maps[0].channels is not Channels.FIRST:
        return None
    embedding = MapPart(output=named[0], fields=(MapField.EMBEDDING,))
    background = found.head.background if MapField.FOREGROUND in found.head.fields else 0
    maps = (*found.head.maps, embedding)
    return found.updated(head=SegmentationHead(maps=maps, background=background, clustering=ClusteringSpec()))


def _distances(sample: Sample) -> SegmentationSpec | None:
    """A foreground, and an output called distance or center that is high in the middle of each thing, (1, 1, h, w)."""
    named = [name for name in sample.outputs if is_named(name, *_DISTANCE_NAMES)]
    others = [name for name in sample.outputs if name not in named]
    if len(named) != 1 or len(others) != 1:
        return None
    distance = maps_over_input(sample, sample.outputs[named[0]], Channels.FIRST, 1)
    rest = Sample({others[0]: sample.outputs[others[0]]}, sample.height, sample.width, sample.labels)
    found = _foreground(rest)
    if distance is None or found is None or found.head is None:
        return None
    maps = (*found.head.maps, MapPart(output=named[0], fields=(MapField.DISTANCE,)))
    return found.updated(head=SegmentationHead(maps=maps, watershed=WatershedSpec()))


LAYOUTS: Mapping[str, Callable[[Sample], SegmentationSpec | None]] = {
    "foreground": _foreground,
    "class-map": _class_map,
    "scores": _scores(Channels.FIRST),
    "scores-last": _scores(Channels.LAST),
    **boxed_mask_layouts.LAYOUTS,
    "embeddings": _embeddings,
    "distances": _distances,
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""


def _first_of_alike(sample: Sample, fits: Callable[[Array], bool]) -> str | None:
    """The first output, where all fit: networks that are trained on several give the best one first.

    One that is called auxiliary is none of them, and beside a distance there are no others alike.
    """
    if len(sample.outputs) > 1 and any(is_named(name, *_DISTANCE_NAMES) for name in sample.outputs):
        return None
    names = [name for name in sample.outputs if "aux" not in name.lower()] or list(sample.outputs)
    if not all(fits(array) for array in sample.outputs.values()):
        return None
    channels = {sample.outputs[name].shape[1] for name in names}
    return names[0] if len(channels) == 1 or len(names) == 1 else None


def _are_indices(values: Array) -> bool:
    return bool((values == np.rint(values)).all()) and float(values.min()) >= 0
