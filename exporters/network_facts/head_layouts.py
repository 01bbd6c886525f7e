"""What a network's head is, told by its answer to a sample: one of the layouts that people export, or none."""

import ast
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import InputError
from edgevision.exporters.network_facts.network import Network
from edgevision.exporters.samples import seeded_batches
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.runtime.tasks.segmentation.spec import Channels, SegmentationSpec

_log = logging.getLogger(__name__)

_BACKGROUND = ("background", "__background__", "bg", "nothing")


S = TypeVar("S", DetectionSpec, KeypointsSpec, SegmentationSpec)
"""A task's own part of the metadata, which says what the head is."""


@dataclass(frozen=True)
class Sample:
    """What a network answers to a sample.

    Attributes:
        outputs: by name, the batch of 1 included.
        height, width: of its input.
        labels: how many classes or points the user has named; 0 for none.
    """

    outputs: Mapping[str, NDArray[np.float32]]
    height: int
    width: int
    labels: int

    def named(self, *words: str) -> list[str]:
        """The outputs whose names have all of ``words`` in them, whatever the case."""
        return [name for name in self.outputs if all(word in name.lower() for word in words)]

    def of_shape(self, *shape: int | None) -> list[str]:
        """The outputs of that shape; ``None`` is any side."""
        return [
            name
            for name, array in self.outputs.items()
            if array.ndim == len(shape) and all(a in (None, b) for a, b in zip(shape, array.shape, strict=True))
        ]

    @property
    def only(self) -> tuple[str, NDArray[np.float32]] | None:
        """The output where there is one only."""
        items = list(self.outputs.items())
        return items[0] if len(items) == 1 else None

    @property
    def shapes(self) -> str:
        """What the outputs are, in words."""
        return ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in self.outputs.items())


def sample_of(metadata: ModelMetadata, network: Network, labels: int) -> Sample:
    """The network's answer to one sample."""
    with network.reference() as engine:
        batch = next(iter(seeded_batches(metadata, network.shape, 1, network.seed)))
        fixed = engine.inputs[0].shape[0]
        picture = np.repeat(batch[0][:1], fixed if isinstance(fixed, int) else 1, axis=0)
        arrays = engine.run({engine.inputs[0].name: picture})
        names = [spec.name for spec in network.conversion.outputs]
    outputs = {name: _of_one(array, len(picture)) for name, array in zip(names, arrays, strict=True)}
    height, width = picture.shape[2:]
    return Sample(outputs, height, width, labels)


def _of_one(array: NDArray[Any], count: int) -> NDArray[Any]:
    """What is the first of ``count`` equal pictures'."""
    return array[:1] if count > 1 and array.ndim and len(array) == count else array


def recognised(
    sample: Sample,
    layouts: Mapping[str, Callable[[Sample], S | None]],
    layout: str | None,
    page: str,
    others: Mapping[str, Mapping[str, Callable[[Sample], Any]]] = MappingProxyType({}),
) -> S:
    """What the one of ``layouts`` says that fits, or ``layout``; ``page`` explains heads. What was taken is said.

    Where none fits, the layouts of ``others``, by their tasks, tell what else the network may be for.

    Raises:
        InputError: none fits, or several do.
    """
    fitting = {}
    for name, recognise in layouts.items():
        if layout in (None, name) and (spec := recognise(sample)) is not None:
            fitting[name] = spec.updated(layout=name)
    if layout is not None and not fitting:
        raise InputError(f"the outputs are no {layout}: {sample.shapes}; {remedy(page)}")
    if not fitting:
        for task, theirs in others.items():
            found = next((name for name, recognise in theirs.items() if recognise(sample) is not None), None)
            if found is not None:
                raise InputError(f"the outputs ({sample.shapes}) are {found}, which is for --task {task}")
        raise InputError(f"no head is known whose outputs are {sample.shapes}; {remedy(page)}")
    if len(fitting) > 1:
        raise InputError(f"the outputs ({sample.shapes}) may be {' or '.join(fitting)}: say which with --head")
    ((name, spec),) = fitting.items()
    if layout is None:
        what = " ".join((layouts[name].__doc__ or "").split())
        _log.warning("the head is taken to be %s: %s The outputs are %s", name, what, sample.shapes)
    return spec


def completed(found: S, given: S) -> S:
    """``found`` with what the user said of answers, which counts for more than what is usual with such a head."""
    usual = type(given)().to_dict()
    said = {name: value for name, value in given.to_dict().items() if usual.get(name) != value and name != "layout"}
    return type(found).from_dict(found.to_dict() | said)


def remedy(page: str) -> str:
    """How a user says what the head is."""
    return f"say it with --head: the name of a layout, or a JSON object as {page} explains it"


def own_labels(network: Network) -> tuple[str, ...]:
    """The names that Ultralytics' exporter writes into a file: ``{0: 'person', 1: 'bicycle'}``.

    Raises:
        InputError: it says that boxes are turned.
    """
    said = {entry.key: entry.value for entry in network.conversion.model.metadata_props}
    if "names" in said and said.get("task") == "obb":
        raise InputError(
            "the file says that it is for oriented boxes (obb), and boxes here are upright: no task has them"
        )
    text = said.get("names", "")
    try:
        names = ast.literal_eval(text) if text.startswith("{") and len(text) < 1_000_000 else json.loads(text or "{}")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ()
    if not isinstance(names, dict) or sorted(map(str, names)) != sorted(map(str, range(len(names)))):
        return ()
    return tuple(str(names.get(index, names.get(str(index)))) for index in range(len(names)))


def background_among(labels: Sequence[str]) -> int | None:
    """The index of the class that is called background, if there is one."""
    return next((index for index, label in enumerate(labels) if label.lower() in _BACKGROUND), None)


def in_unit_range(values: NDArray[np.float32]) -> bool:
    """Whether all values may be probabilities."""
    return values.size > 0 and float(values.min()) >= -1e-3 and float(values.max()) <= 1 + 1e-3


def sums_to_one(scores: NDArray[np.float32], axis: int = -1) -> bool:
    """Whether the values along an axis are shares of a whole."""
    return in_unit_range(scores) and float(np.abs(scores.sum(axis=axis) - 1).max()) < 1e-2


def maps_over_input(sample: Sample, array: NDArray[Any], channels: Channels, count: int | None) -> NDArray[Any] | None:
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


def is_named(name: str, *words: str) -> bool:
    """Whether one of ``words`` is in the name of an output, whatever the case."""
    return any(word in name.lower() for word in words)
