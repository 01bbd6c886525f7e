"""Whether what a model says of itself makes sense and fits its graph: found out once, when the file is opened.

Everything behind (preprocessing, tiles, latents, labels) may then rely on it. What holds for every model is checked
first, then what the model's task asks for.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from edgevision.core.records import Record
from edgevision.modelfiles.graph_check import Specs, refuse, shapes_match
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task

# Far beyond every model in use, and little enough for what follows from them to fit into memory.
_LARGEST_NUMBER = 1e9
_LARGEST_SIDE = 8192
_MOST_PIXELS = 1 << 24
_LEAST_DEVIATION = 1e-6
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "tile.size": (1, 65536),
    "tile.multiple": (1, 1024),
    "tile.stride": (1, 1024),
    "tile.minimum": (1, _LARGEST_SIDE),
    "tile.overlap": (0, _LARGEST_SIDE),
    "tile.memory": (1, 1 << 30),
    "image.size[0]": (1, _LARGEST_SIDE),
    "image.size[1]": (1, _LARGEST_SIDE),
}


def check_sense(metadata: ModelMetadata) -> None:
    """Raise :class:`ValueError` where a value is out of all bounds; it names the field, the value and the rule."""
    bounds = dict(_BOUNDS) | {f"spec.{name}": ends for name, ends in find_task(metadata.task).bounds.items()}
    for field, value in _numbers(metadata, ""):
        if not abs(value) <= _LARGEST_NUMBER:  # nor is what is no number; integers may be too large for a float
            refuse(field, value, f"a number has to be finite, and at most {_LARGEST_NUMBER:g} in size")
        low, high = bounds.get(field, (-math.inf, math.inf))
        if not low <= value <= high:
            refuse(field, value, f"it has to be {low} to {high:,}")
    image = metadata.image
    if image is not None:
        if image.size is not None and math.prod(image.size) > _MOST_PIXELS:
            refuse("image.size", image.size, f"at most {_MOST_PIXELS:,} pixels are taken")
        _check_range("image.value_range", image.value_range)
        if image.std and min(image.std) < _LEAST_DEVIATION:
            refuse("image.std", image.std, f"it has to be at least {_LEAST_DEVIATION:g}")
    for kind, specs in (("inputs", metadata.inputs), ("outputs", metadata.outputs)):
        for index, spec in enumerate(specs):
            if spec.value_range is not None:
                _check_range(f"{kind}[{index}].value_range", spec.value_range)


def check_graph(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    """Raise :class:`ValueError` where ``metadata`` contradicts a graph of these inputs and outputs, or lacks a fact."""
    for kind, declared, found in (("inputs", metadata.inputs, inputs), ("outputs", metadata.outputs, outputs)):
        if not found:
            raise ValueError(f"its graph has no {kind}")
        _check_tensors(kind, declared, found)
    find_task(metadata.task).check(metadata, inputs, outputs)


def _check_tensors(kind: str, declared: Specs, found: Specs) -> None:
    """Whether the tensors that are declared are those of the graph."""
    by_name = {spec.name: spec for spec in found}
    if "" in by_name or len(by_name) < len(found):
        raise ValueError(f"the names of its graph's {kind} are {[s.name for s in found]}: each has to have its own")
    for spec in found:
        if 0 in spec.shape:
            raise ValueError(f"{spec.name!r} among its graph's {kind} is {spec.shape}: no side may be 0")
    if declared and len(declared) != len(found):
        refuse(kind, [spec.name for spec in declared], f"its graph's are {list(by_name)}")
    for index, spec in enumerate(declared):
        own = by_name.get(spec.name)
        if own is None:
            refuse(f"{kind}[{index}].name", spec.name, f"its graph's {kind} are {', '.join(map(repr, by_name))}")
        if not shapes_match(spec.shape, own.shape):
            refuse(f"{kind}[{index}].shape", spec.shape, f"{own.name!r} is {own.shape} in its graph")
        if spec.dtype != own.dtype:
            refuse(f"{kind}[{index}].dtype", spec.dtype, f"{own.name!r} is {own.dtype} in its graph")


def _check_range(field: str, ends: tuple[float, float]) -> None:
    if ends[0] == ends[1]:
        refuse(field, ends, "its ends have to differ")


def _numbers(value: Any, path: str) -> Iterator[tuple[str, int | float]]:
    """Every number among the fields, with its path; what this release does not know is not judged."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, value
    elif isinstance(value, Record):
        for f in fields(value):
            if f.name != "extra":
                yield from _numbers(getattr(value, f.name), f"{path}.{f.name}" if path else f.name)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{path}[{index}]")
