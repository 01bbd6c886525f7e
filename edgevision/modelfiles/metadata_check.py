"""Whether what a model says of itself makes sense and fits its graph: found out once, when the file is opened.

Everything behind (preprocessing, tiles, latents, labels) may then rely on it. What holds for every model is checked
first, then what the model's task asks for: one function for each task, in the one table at the end.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NoReturn

from edgevision.core.records import Record
from edgevision.modelfiles.metadata import Activation, ImageSpec, ModelMetadata, Prediction, Task, TensorSpec

Specs = tuple[TensorSpec, ...]

# Far beyond every model in use, and little enough for what follows from them to fit into memory.
_LARGEST_NUMBER = 1e9
_LARGEST_SIDE = 8192
_MOST_PIXELS = 1 << 24
_LEAST_DEVIATION = 1e-6
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "restoration.scale": (1, 16),
    "latent.size": (1, 1 << 20),
    "latent.pixels": (1, 1024),
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
    for field, value in _numbers(metadata, ""):
        if not abs(value) <= _LARGEST_NUMBER:  # nor is what is no number; integers may be too large for a float
            _refuse(field, value, f"a number has to be finite, and at most {_LARGEST_NUMBER:g} in size")
        low, high = _BOUNDS.get(field, (-math.inf, math.inf))
        if not low <= value <= high:
            _refuse(field, value, f"it has to be {low} to {high:,}")
    image = metadata.image
    if image is not None:
        if image.size is not None and math.prod(image.size) > _MOST_PIXELS:
            _refuse("image.size", image.size, f"at most {_MOST_PIXELS:,} pixels are taken")
        _check_range("image.value_range", image.value_range)
        if image.std and min(image.std) < _LEAST_DEVIATION:
            _refuse("image.std", image.std, f"it has to be at least {_LEAST_DEVIATION:g}")
    for kind, specs in (("inputs", metadata.inputs), ("outputs", metadata.outputs)):
        for index, spec in enumerate(specs):
            if spec.value_range is not None:
                _check_range(f"{kind}[{index}].value_range", spec.value_range)
    sigma = metadata.restoration.sigma if metadata.restoration else None
    if sigma is not None and sigma[1] > 255:
        _refuse("restoration.sigma", sigma, "it is of 255")


def check_graph(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    """Raise :class:`ValueError` where ``metadata`` contradicts a graph of these inputs and outputs, or lacks a fact."""
    for kind, declared, found in (("inputs", metadata.inputs, inputs), ("outputs", metadata.outputs, outputs)):
        if not found:
            raise ValueError(f"its graph has no {kind}")
        _check_tensors(kind, declared, found)
    _TASKS[metadata.task](metadata, inputs, outputs)


def _check_tensors(kind: str, declared: Specs, found: Specs) -> None:
    """Whether the tensors that are declared are those of the graph."""
    by_name = {spec.name: spec for spec in found}
    if "" in by_name or len(by_name) < len(found):
        raise ValueError(f"the names of its graph's {kind} are {[s.name for s in found]}: each has to have its own")
    for spec in found:
        if 0 in spec.shape:
            raise ValueError(f"{spec.name!r} among its graph's {kind} is {spec.shape}: no side may be 0")
    if declared and len(declared) != len(found):
        _refuse(kind, [spec.name for spec in declared], f"its graph's are {list(by_name)}")
    for index, spec in enumerate(declared):
        own = by_name.get(spec.name)
        if own is None:
            _refuse(f"{kind}[{index}].name", spec.name, f"its graph's {kind} are {', '.join(map(repr, by_name))}")
        if not _alike(spec.shape, own.shape):
            _refuse(f"{kind}[{index}].shape", spec.shape, f"{own.name!r} is {own.shape} in its graph")
        if spec.dtype != own.dtype:
            _refuse(f"{kind}[{index}].dtype", spec.dtype, f"{own.name!r} is {own.dtype} in its graph")


def _check_classifier(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    _check_count(metadata, "inputs", inputs, 1)
    _check_picture(_needed_image(metadata), inputs[0])
    scores = outputs[0]
    if not scores.dtype.startswith("float"):
        raise ValueError(
            f"its output {scores.name!r} is {scores.dtype}, and {metadata.task} needs a score for each class, as float"
        )
    classes = class_count(scores, inputs[0])
    if classes == 1 and metadata.classification and metadata.classification.activation is Activation.SOFTMAX:
        _refuse("classification.activation", "softmax", "of one score it is always 1")
    labels = len(metadata.labels)
    # One score decides between two.
    if labels and classes not in (None, labels) and not (classes == 1 and labels == 2):
        _refuse("labels", _few(metadata.labels), f"its graph has {classes} outputs for these {labels} labels")


def _check_generator(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    latent = metadata.latent
    if latent is None:
        raise ValueError("metadata.latent is missing, without which nothing is known of what the network draws from")
    _check_count(metadata, "inputs", inputs, 1, 2)
    shape, picture = inputs[0].shape, outputs[0]
    if len(shape) not in (2, 4):
        raise ValueError(f"its input {inputs[0].name!r} is {shape}, and a latent is (batch, size) or a map of such")
    if not _alike(shape[1:2], (latent.size,)):
        _refuse("latent.size", latent.size, f"its input {inputs[0].name!r} is {shape}")
    may_be_vector = all(side == 1 or isinstance(side, str) for side in shape[2:])
    may_be_map = len(shape) == 4 and shape[2:] != (1, 1)
    if not (may_be_vector if latent.pixels is None else may_be_map):
        rule = "takes a map of latents" if may_be_map else "takes one latent for a picture"
        _refuse("latent.pixels", latent.pixels, f"its input {inputs[0].name!r}, {shape}, {rule}")
    if len(picture.shape) not in (2, 4):
        raise ValueError(f"its output {picture.name!r} is {picture.shape}, and pictures are (batch, channels, h, w)")
    if len(picture.shape) == 4:
        if isinstance(picture.shape[1], int) and picture.shape[1] not in (1, 3):
            raise ValueError(f"its output {picture.name!r} is {picture.shape}, and pictures have 1 or 3 channels")
        if latent.pixels is not None:
            _check_sides("latent.pixels", latent.pixels, shape[2:], picture.shape[2:])
        if metadata.image is not None:
            _check_picture(metadata.image, picture)
    if len(inputs) == 2:
        classes = inputs[1].shape[1] if len(inputs[1].shape) == 2 else None
        if not isinstance(classes, int):
            raise ValueError(f"its input {inputs[1].name!r} is {inputs[1].shape}, and classes are (batch, classes)")
        if metadata.labels and len(metadata.labels) != classes:
            _refuse("labels", _few(metadata.labels), f"its input {inputs[1].name!r} takes {classes} classes")


def _check_encoder(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    image = _needed_image(metadata)
    if image.size is None:
        raise ValueError("metadata.image.size is missing, and the network takes pictures of one size")
    _check_count(metadata, "inputs", inputs, 1)
    _check_picture(image, inputs[0])


def _check_reconstructor(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    _check_encoder(metadata, inputs, outputs)
    if len(outputs) < 2:
        raise ValueError(f"its graph has {len(outputs)} output, and {metadata.task} needs the picture and its code")
    _check_picture(_needed_image(metadata), outputs[0])


def _check_restorer(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    image, spec = _needed_image(metadata), metadata.restoration
    if spec is None:
        raise ValueError(f"metadata.restoration is missing, which says what the output is in {metadata.task}")
    curves = spec.predicts is Prediction.CURVES
    if curves and metadata.task is not Task.BRIGHTEN:
        _refuse("restoration.predicts", str(spec.predicts), f"curves brighten, which is not {metadata.task}")
    if (spec.scale > 1) != (metadata.task is Task.UPSCALE):
        _refuse("restoration.scale", spec.scale, f"for {metadata.task} it is {'2 or more' if spec.scale == 1 else 1}")
    _check_count(metadata, "inputs", inputs, 2 if metadata.task is Task.INPAINT else 1)
    _check_picture(image, inputs[0])
    if metadata.task is Task.INPAINT:
        mask, picture = inputs[1].shape, inputs[0].shape
        if not _alike(mask, (picture[0], 1, *picture[2:])):
            raise ValueError(f"its inputs are {picture} and {mask}: a mask has one channel and the picture's sides")
    restored = outputs[0]
    if len(restored.shape) != 4:
        raise ValueError(f"its output {restored.name!r} is {restored.shape}, and pictures are (batch, channels, h, w)")
    if curves:
        if image.size is None:
            raise ValueError("metadata.image.size is missing, the size of what curves are estimated from")
        if isinstance(restored.shape[1], int) and restored.shape[1] % 3:
            _refuse("restoration.predicts", str(spec.predicts), f"its output is {restored.shape}, not three a curve")
        return
    if not _alike(restored.shape[1:2], (image.color.channels,)):
        _refuse("image.color", str(image.color), f"its output {restored.name!r} is {restored.shape}")
    _check_sides("restoration.scale", spec.scale, inputs[0].shape[2:], restored.shape[2:])
    multiple = metadata.tile.multiple if metadata.tile else 1
    if any(isinstance(side, int) and side % multiple for side in inputs[0].shape[2:]):
        _refuse("tile.multiple", multiple, f"its input {inputs[0].name!r} is {inputs[0].shape}")


def _check_other(metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
    if metadata.image is not None and len(inputs) == 1:
        _check_picture(metadata.image, inputs[0])


def class_count(scores: TensorSpec, picture: TensorSpec) -> int | None:
    """How many scores a classifier's output holds for each sample of its input, ``None`` where the graph does not tell.

    Sides of 1 do not count: (batch, classes, 1, 1) is as good as (batch, classes), and (batch,) one score each.

    Raises:
        ValueError: the output is no list of scores.
    """
    shape, batch = scores.shape, picture.shape[0] if picture.shape else 1
    # (classes,) of a network for one picture has no side for the batch.
    sides = shape if batch == 1 and len(shape) == 1 else shape[1:]
    larger = [side for side in sides if side != 1]
    if len(larger) > 1:
        raise ValueError(f"its output {scores.name!r} is {shape}, and classes have one score each: (batch, classes)")
    if not larger:
        return 1
    return larger[0] if isinstance(larger[0], int) else None


def _needed_image(metadata: ModelMetadata) -> ImageSpec:
    if metadata.image is None:
        raise ValueError("metadata.image is missing, so it does not say how a picture becomes an input")
    return metadata.image


def _check_picture(image: ImageSpec, spec: TensorSpec) -> None:
    """Whether a tensor of the graph is the picture that the metadata describes."""
    if len(spec.shape) != 4:
        raise ValueError(f"{spec.name!r} is {spec.shape} in its graph, and pictures are (batch, channels, h, w)")
    if not _alike(spec.shape[1:2], (image.color.channels,)):
        _refuse("image.color", str(image.color), f"{spec.name!r} is {spec.shape} in its graph")
    plain = image.value_range == (0.0, 255.0) and not image.mean and not image.std
    if not spec.dtype.startswith("float") and not plain:
        _refuse("image.value_range", image.value_range, f"{spec.name!r} is {spec.dtype}, which holds 0 to 255 as it is")
    if image.size is not None and not _alike(spec.shape[2:], image.size):
        _refuse("image.size", image.size, f"{spec.name!r} is {spec.shape} in its graph")


def _check_sides(field: str, scale: int, before: tuple[int | str, ...], after: tuple[int | str, ...]) -> None:
    scaled = tuple(side * scale if isinstance(side, int) else side for side in before)
    if not _alike(scaled, after):
        _refuse(field, scale, f"in its graph {before} become {after}")


def _check_count(metadata: ModelMetadata, kind: str, specs: Specs, *counts: int) -> None:
    if len(specs) not in counts:
        names = ", ".join(repr(spec.name) for spec in specs[:8])
        needed = " or ".join(map(str, counts))
        raise ValueError(f"its graph has {len(specs)} {kind} ({names}), and {metadata.task} needs {needed}")


def _check_range(field: str, ends: tuple[float, float]) -> None:
    if ends[0] == ends[1]:
        _refuse(field, ends, "its ends have to differ")


def _alike(one: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    """Whether two shapes can be the same: of one rank, and equal where both are known."""
    return len(one) == len(other) and all(
        a == b or isinstance(a, str) or isinstance(b, str) for a, b in zip(one, other, strict=True)
    )


def _few(labels: tuple[str, ...]) -> list[str]:
    return [*labels[:3], "..."] if len(labels) > 3 else list(labels)


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


def _refuse(field: str, value: object, rule: str) -> NoReturn:
    raise ValueError(f"metadata.{field} is {value!r:.80}, but {rule}")


_TASKS: Mapping[Task, Callable[[ModelMetadata, Specs, Specs], None]] = {
    Task.CLASSIFY: _check_classifier,
    Task.GENERATE: _check_generator,
    Task.RECONSTRUCT: _check_reconstructor,
    Task.ENCODE: _check_encoder,
    Task.INPAINT: _check_restorer,
    Task.DENOISE: _check_restorer,
    Task.UPSCALE: _check_restorer,
    Task.BRIGHTEN: _check_restorer,
    Task.OTHER: _check_other,
}
