"""An ONNX model that is there already, described by its metadata, its graph and by running it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.picture_sizes import PictureSizes
from edgevision.exporters.analysis.randomness import check_model_repeatable
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.network_facts.network import Network, describe_network
from edgevision.exporters.passes.static_shapes import dynamic_axes
from edgevision.exporters.samples import seeded_batches
from edgevision.exporters.sources.describe import current_form, describe, given_task, merged, parsed
from edgevision.exporters.sources.foreign_model import (
    ForeignEngine,
    load_foreign_model,
    read_foreign_graph,
    scores_first,
)
from edgevision.exporters.sources.input_shapes import tile_notes, with_probed_axes
from edgevision.exporters.sources.picture_input import picture_input
from edgevision.exporters.sources.source_model import SourceModel, completed, keeps_size
from edgevision.exporters.torch_engine import EngineNetwork
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.task import SAMPLE_SIDE


def describe_onnx(
    path: Path,
    input_shape: tuple[int, ...] | None,
    metadata: Mapping[str, Any],
    seed: int,
    check: Callable[[ModelMetadata], None] = lambda metadata: None,
) -> SourceModel:
    """The model at ``path``; raises as :func:`.read_source_model`."""
    source = with_probed_axes(_from_graph(path, input_shape, metadata, seed, check))
    return _described_by_running(source, described=read_metadata(path) is not None, seed=seed)


def _from_graph(
    path: Path,
    input_shape: tuple[int, ...] | None,
    metadata: Mapping[str, Any],
    seed: int,
    check: Callable[[ModelMetadata], None],
) -> SourceModel:
    given_graph = read_foreign_graph(path)
    model, opened = load_foreign_model(path, given_graph)
    own = read_metadata(path)
    notes: tuple[str, ...] = ()
    given = current_form(metadata) if own is not None else {"task": OTHER.name} | current_form(metadata)
    task = given_task(given.get("task", own.task if own is not None else OTHER.name))
    if own is None and task.scores_first:
        model, notes = scores_first(model)
    picture = picture_input(model, input_shape) if own is None and task is not OTHER and task.takes_pictures else None
    if picture is not None:
        model, notes = picture.applied(model), (*notes, picture.note)
        input_shape = picture.shape_of(input_shape)
        if not picture.given.dtype.startswith("float"):
            given = merged({"image": {"value_range": [0, 255]}}, given)
    conversion = Conversion(model, "given", ())
    first, *others = conversion.inputs
    axes = dynamic_axes(len(first.shape))
    dynamic = tuple(name for name, axis in axes.items() if axis < len(first.shape) and _is_dynamic(first, axis))
    if own is None and task is OTHER and (others or not _may_be_picture(first)):
        dynamic = dynamic[:1] if "batch" in dynamic else ()
        described, shape = _describe_tensors(path.stem, given, first, input_shape)
    else:
        unsaid = own is None and input_shape is None
        if unsaid:
            input_shape = _own_size(first, any_size=task.any_size)
        described, shape = describe(own, given, name=path.stem, input_shape=input_shape)
        if unsaid and task.any_size and {"height", "width"} <= set(dynamic):
            described = _of_any_size(described, given)
    check(described)
    described = completed(described, conversion, sha256(path.read_bytes()).hexdigest())
    examples = tuple(map(torch.from_numpy, next(iter(seeded_batches(described, shape, 1, seed)))))
    if len(examples) != len(conversion.inputs):
        given_names = ", ".join(repr(spec.name) for spec in conversion.inputs)
        raise InputError(
            f"{path.name!r} has {len(conversion.inputs)} inputs ({given_names}), and {described.task} needs"
            f" {len(examples)}"
        )
    conversion, names = replace(conversion, dynamic=dynamic), [spec.name for spec in conversion.outputs]
    check_model_repeatable(model, ForeignEngine(opened, names, picture), examples)
    return SourceModel(
        conversion=conversion,
        shape=shape,
        examples=examples,
        reference=lambda: ForeignEngine(opened, names, picture),
        metadata=described,
        notes=notes,
        given=given_graph if picture is None else None,
    )


def _described_by_running(source: SourceModel, *, described: bool, seed: int) -> SourceModel:
    """With what is found out of the model by running it, as of a checkpoint's network."""
    conversion, examples, metadata = source.conversion, source.examples, source.metadata
    if conversion.picture_sizes is None and keeps_size(metadata):
        height, width = examples[0].shape[2:]
        conversion = replace(conversion, picture_sizes=PictureSizes(height, width))
    with source.reference() as engine:
        network = Network(
            conversion=conversion,
            shape=source.shape,
            examples=examples,
            reference=source.reference,
            module=EngineNetwork(engine),
            described=described,
            seed=seed,
        )
        metadata = describe_network(metadata, network)
    if described:
        return replace(source, metadata=metadata)
    notes = source.notes + tile_notes(metadata, source.metadata.tile)
    return replace(source, metadata=metadata, conversion=conversion, notes=notes)


def _own_size(first: TensorSpec, *, any_size: bool) -> tuple[int, ...] | None:
    """The shape of a sample as far as the graph tells it; some tasks take pictures of any size where it does not."""
    sides = [
        SAMPLE_SIDE if isinstance(side, str) and any_size and axis > 1 else side
        for axis, side in enumerate(first.shape)
    ]
    if len(sides) < 2 or any(isinstance(side, str) for side in sides[1:]):
        return None
    return tuple(1 if isinstance(side, str) else side for side in sides)


def _of_any_size(metadata: ModelMetadata, given: Mapping[str, Any]) -> ModelMetadata:
    """With pictures in their own size, unless the user says which they get: nobody else has."""
    if metadata.image is None or "size" in given.get("image", {}):
        return metadata
    return metadata.updated(image=metadata.image.updated(size=None))


def _may_be_picture(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[1] in (1, 3) and spec.dtype.startswith("float")


def _describe_tensors(
    name: str, given: Mapping[str, Any], first: TensorSpec, input_shape: tuple[int, ...] | None
) -> tuple[ModelMetadata, tuple[int, ...]]:
    """The metadata of a model whose inputs are no pictures, and the shape of the first one without the batch."""
    described = parsed({"name": name} | dict(given))
    shape = input_shape or first.shape
    if len(shape) != len(first.shape) or any(isinstance(side, str) for side in shape[1:]):
        sides = "x".join(map(str, first.shape)) or "a single number"
        raise InputError(f"input {first.name!r} is {sides}: give --input-shape, the batch first and all sides known")
    return described, tuple(int(side) for side in shape[1:])


def _is_dynamic(spec: TensorSpec, axis: int) -> bool:
    return isinstance(spec.shape[axis], str)
