"""What is exported: a PyTorch network converted to ONNX, or an ONNX model that is there already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

import edgevision
from edgevision.core.errors import InputError
from edgevision.exporters.analysis.picture_sizes import Examples, Sides
from edgevision.exporters.analysis.randomness import check_model_repeatable, check_repeatable
from edgevision.exporters.checkpoints import Checkpoint, read_checkpoint
from edgevision.exporters.checkpoints.float32 import cast_in_float32
from edgevision.exporters.checkpoints.shards import stem
from edgevision.exporters.conversion.agreement import Case
from edgevision.exporters.conversion.onnx_conversion import (
    Conversion,
    convert_to_onnx,
    run_network,
)
from edgevision.exporters.describe import current_form, describe, given_task, parsed
from edgevision.exporters.foreign_model import ForeignEngine, load_foreign_model, probe_dynamic_axes, scores_first
from edgevision.exporters.network_facts.network import Network, check_fit, describe_network
from edgevision.exporters.parts import Part, take_part
from edgevision.exporters.passes.static_shapes import with_static_shapes
from edgevision.exporters.samples import extreme_batches, seeded_batches
from edgevision.exporters.torch_engine import EngineNetwork, TorchEngine, flatten_outputs
from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec, TileSpec
from edgevision.modelfiles.model_file import read_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.restoration.tile_sizes import can_tile, fixed_sides
from edgevision.runtime.tasks.task import SAMPLE_SIDE

_POSITIONS = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True)
class Origin:
    """A float model in ONNX with everything that is known of it.

    Attributes:
        metadata: complete but for what exporting adds.
        shape: of the samples to compare on, without the batch.
        examples: a sample for each input, the batch first.
        reference: opens the engine that the exported model has to agree with.
    """

    conversion: Conversion
    metadata: ModelMetadata
    shape: tuple[int, ...]
    examples: Examples
    reference: Callable[[], Engine]
    notes: tuple[str, ...]

    def fixed(self, shape: tuple[int, ...] | None = None, *, seed: int = 0) -> "Origin":
        """With every side of the first input as in ``shape``, by default one picture, or one tile of the advised size.

        Raises:
            InputError: the network does not take that shape, or pictures are resized to another.
            ModelFileError: the metadata contradicts the shape.
        """
        tile = self.metadata.tile
        if shape is None and tile is not None and tile.overlap is not None and "height" in self.conversion.dynamic:
            shape = (1, self.shape[0], tile.advised_side, tile.advised_side)
        examples = self._examples_of(shape or (1, *self.shape), seed)
        conversion = replace(self.conversion, model=with_static_shapes(self.conversion.model, examples), dynamic=())
        metadata = _with_shapes(self.metadata, conversion)
        if _keeps_size(metadata):
            _check_tiles(metadata.inputs[0].shape, metadata)
        shape = tuple(examples[0].shape[1:])
        return replace(self, conversion=conversion, metadata=metadata, shape=shape, examples=examples)

    def with_probed_axes(self) -> "Origin":
        """With the sides fixed that the graph says are open and that are not, which is noted."""
        metadata, said, examples = self.metadata, self.conversion.dynamic, self.examples
        if not said or examples[0].ndim == 0:
            return self
        with self.reference() as engine:
            dynamic, sides = probe_dynamic_axes(
                engine,
                examples,
                said,
                multiple=metadata.tile.multiple if metadata.tile else 1,
                keeps_size=_keeps_size(metadata),
            )
        conversion = replace(self.conversion, dynamic=dynamic, sides=sides)
        closed = [name for name in said if name not in dynamic]
        reference = self.reference
        if closed:
            shape = "x".join(map(str, examples[0].shape))
            note = f"{' and '.join(closed)} fixed, as of {shape}: the graph says it is open and takes no other"
            model = with_static_shapes(conversion.model, examples, closed)
            conversion = replace(conversion, model=model, notes=(*conversion.notes, note))
            metadata = _with_shapes(metadata, conversion)

            def reference() -> Engine:
                engine = self.reference()
                engine.inputs = conversion.inputs
                return engine

        if not _keeps_size(metadata) and metadata.image is not None:
            metadata = metadata.updated(tile=_sides_only(metadata, conversion))
        return replace(self, conversion=conversion, metadata=metadata, reference=reference)

    def _examples_of(self, shape: tuple[int, ...], seed: int) -> Examples:
        taken = self.metadata.inputs[0].shape
        fits = len(shape) == len(taken) and all(isinstance(t, str) or s == t for s, t in zip(shape, taken, strict=True))
        multiple = self.metadata.tile.multiple if self.metadata.tile else 1
        if not fits or any(side % multiple for side in shape[2:]):
            sides = "x".join(map(str, taken)) + (f", sides in multiples of {multiple}" if multiple > 1 else "")
            raise InputError(f"--static {'x'.join(map(str, shape))} does not fit the network, which takes {sides}")
        size = self.metadata.image.size if self.metadata.image else None
        if size is not None and tuple(shape[2:]) != size:
            height, width = size
            raise InputError(
                f"--static {'x'.join(map(str, shape))} does not fit {self.metadata.name!r}, whose pictures are resized"
                f" to {height}x{width}"
            )
        sample = next(iter(seeded_batches(self.metadata, shape[1:], 1, seed)))
        return tuple(torch.from_numpy(array).repeat(shape[0], *[1] * (array.ndim - 1)) for array in sample)


def read_origin(
    source: Path,
    *,
    part: Part,
    arch: str | None,
    arch_options: Mapping[str, Any] | None,
    weights: str | None,
    input_shape: tuple[int, ...] | None,
    metadata: Mapping[str, Any],
    trust_pickle: bool,
    seed: int,
) -> Origin:
    """Read a checkpoint or an ``.onnx`` file; the arguments are those of :func:`edgevision.exporters.export.export`.

    Raises:
        CheckpointError, ModelFileError, InputError: it cannot be read, or something it does not say was not given.
    """
    if source.suffix.lower() != ".onnx":
        original = read_checkpoint(
            source, arch=arch, arch_options=arch_options, weights=weights, trust_pickle=trust_pickle
        )
        origin = _from_checkpoint(take_part(original, part), stem(source), input_shape, metadata, seed)
    elif arch is not None or weights is not None or part is not Part.BOTH:
        raise InputError(
            f"{source.name!r} is an ONNX model already: --arch, --weights and --part are for PyTorch checkpoints"
        )
    else:
        origin = _from_onnx(source, input_shape, metadata, seed).with_probed_axes()
        origin = _described_by_running(origin, described=read_metadata(source) is not None, seed=seed)
    check_fit(origin.metadata, origin.conversion)
    return origin


def _from_checkpoint(
    original: Checkpoint, name: str, input_shape: tuple[int, ...] | None, metadata: Mapping[str, Any], seed: int
) -> Origin:
    network = original.network
    described, shape = describe(original.metadata, metadata, name=name, input_shape=input_shape)
    # Real values, not random ones: a network may branch on them while it is traced.
    examples = tuple(map(torch.from_numpy, next(iter(seeded_batches(described, shape, 1, seed)))))
    notes = (*original.notes, *cast_in_float32(network, examples))
    check_repeatable(network, examples)
    input_names = _input_names(described, len(examples))
    conversion = convert_to_onnx(
        network,
        examples,
        input_names=input_names,
        output_names=_output_names(network, examples, described, input_names),
        multiple=described.tile.multiple if described.tile else 1,
        keeps_size=_keeps_size(described),
        values=[Case(name, tuple(map(torch.from_numpy, batch))) for name, batch in extreme_batches(described, shape)],
    )
    known = described.tile
    described = _completed(described, conversion, original.sha256)
    inputs, outputs = described.inputs, described.outputs

    def reference() -> Engine:
        return TorchEngine(network, inputs, outputs)

    facts = Network(network, conversion, examples, reference, shape, described=False, seed=seed)
    described = describe_network(described, facts)
    if described.image is not None and not _keeps_size(described):
        described = described.updated(tile=_sides_only(described, conversion))
    notes += tile_notes(described, known)
    return Origin(conversion, described, shape, examples, reference, notes)


def _from_onnx(source: Path, input_shape: tuple[int, ...] | None, metadata: Mapping[str, Any], seed: int) -> Origin:
    model, opened = load_foreign_model(source)
    own = read_metadata(source)
    notes: tuple[str, ...] = ()
    given = current_form(metadata) if own is not None else {"task": OTHER.name} | current_form(metadata)
    task = given_task(given.get("task", own.task if own is not None else OTHER.name))
    if own is None and task.scores_first:
        model, notes = scores_first(model)
    conversion = Conversion(model, "given", ())
    first, *others = conversion.inputs
    dynamic = tuple(name for axis, name in _POSITIONS.items() if axis < len(first.shape) and _is_open(first, axis))
    if own is None and task is OTHER and (others or not _may_be_picture(first)):
        dynamic = dynamic[:1] if "batch" in dynamic else ()
        described, shape = _of_tensors(source.stem, given, first, input_shape)
    else:
        if own is None and input_shape is None:
            input_shape = _own_size(first, any_size=task.any_size)
        described, shape = describe(own, given, name=source.stem, input_shape=input_shape)
    described = _completed(described, conversion, sha256(source.read_bytes()).hexdigest())
    examples = tuple(map(torch.from_numpy, next(iter(seeded_batches(described, shape, 1, seed)))))
    if len(examples) != len(conversion.inputs):
        given_names = ", ".join(repr(spec.name) for spec in conversion.inputs)
        raise InputError(
            f"{source.name!r} has {len(conversion.inputs)} inputs ({given_names}), and {described.task} needs"
            f" {len(examples)}"
        )
    conversion, names = replace(conversion, dynamic=dynamic), [spec.name for spec in conversion.outputs]
    check_model_repeatable(model, ForeignEngine(opened, names), examples)
    return Origin(conversion, described, shape, examples, lambda: ForeignEngine(opened, names), notes)


def _described_by_running(origin: Origin, *, described: bool, seed: int) -> Origin:
    """With what is found out of the model by running it, as of a checkpoint's network."""
    conversion, examples, metadata = origin.conversion, origin.examples, origin.metadata
    if conversion.sides is None and _keeps_size(metadata):
        height, width = examples[0].shape[2:]
        conversion = replace(conversion, sides=Sides(height, width))
    with origin.reference() as engine:
        network = Network(
            EngineNetwork(engine), conversion, examples, origin.reference, origin.shape, described=described, seed=seed
        )
        metadata = describe_network(metadata, network)
    if described:
        return replace(origin, metadata=metadata)
    notes = origin.notes + tile_notes(metadata, origin.metadata.tile)
    return replace(origin, metadata=metadata, conversion=conversion, notes=notes)


def tile_notes(metadata: ModelMetadata, known: TileSpec | None) -> tuple[str, ...]:
    """What a user has to know of the sizes that a model takes, beyond what is ``known`` of them from its metadata."""
    tile, tiled = metadata.tile, _keeps_size(metadata)
    if tile is None:
        return ()
    notes = []
    rules = [f"multiples of {tile.multiple}"] if tile.multiple > 1 else []
    rules += [f"at least {tile.padded(1)}"] if tile.padded(1) > tile.multiple else []
    if rules and (known is None or (known.multiple, known.padded(1)) != (tile.multiple, tile.padded(1))):
        padded = ": pictures are padded and cut back" if tiled else ""
        notes.append(f"sides have to be {' and '.join(rules)}{padded}")
    if tiled:
        sides = fixed_sides(metadata.inputs[0].shape, metadata)
        if any(sides) and not can_tile(sides, tile):
            notes.append("it cannot be laid over a picture in tiles: one that is larger than its input is refused")
        elif tile.overlap is None:
            notes.append("it looks at the whole picture at once: that is not cut into tiles, whatever --memory says")
    return tuple(notes)


def _own_size(first: TensorSpec, *, any_size: bool) -> tuple[int, ...] | None:
    """The shape of a sample as far as the graph tells it; some tasks take pictures of any size where it does not."""
    sides = [
        SAMPLE_SIDE if isinstance(side, str) and any_size and axis > 1 else side
        for axis, side in enumerate(first.shape)
    ]
    if len(sides) < 2 or any(isinstance(side, str) for side in sides[1:]):
        return None
    return tuple(1 if isinstance(side, str) else side for side in sides)


def _may_be_picture(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[1] in (1, 3) and spec.dtype.startswith("float")


def _of_tensors(
    name: str, given: Mapping[str, Any], first: TensorSpec, input_shape: tuple[int, ...] | None
) -> tuple[ModelMetadata, tuple[int, ...]]:
    """The metadata of a model whose inputs are no pictures, and the shape of the first one without the batch."""
    described = parsed({"name": name} | dict(given))
    shape = input_shape or first.shape
    if len(shape) != len(first.shape) or any(isinstance(side, str) for side in shape[1:]):
        sides = "x".join(map(str, first.shape)) or "a single number"
        raise InputError(f"input {first.name!r} is {sides}: give --input-shape, the batch first and all sides known")
    return described, tuple(int(side) for side in shape[1:])


def _keeps_size(metadata: ModelMetadata) -> bool:
    """Whether the output is a picture of the input's size, or of a multiple of it."""
    return find_task(metadata.task).keeps_size(metadata)


def _with_shapes(metadata: ModelMetadata, conversion: Conversion) -> ModelMetadata:
    """With the shapes of the converted model."""

    def shaped(old: Sequence[TensorSpec], new: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        return tuple(one.updated(shape=other.shape) for one, other in zip(old, new, strict=True))

    return metadata.updated(
        inputs=shaped(metadata.inputs, conversion.inputs), outputs=shaped(metadata.outputs, conversion.outputs)
    )


def _sides_only(metadata: ModelMetadata, conversion: Conversion) -> TileSpec | None:
    """What sides a network takes whose pictures are never cut; ``None`` for any, or only one."""
    sides = conversion.sides
    if sides is None or "height" not in conversion.dynamic or sides.multiple == sides.minimum == 1:
        return metadata.tile
    return (metadata.tile or TileSpec()).updated(multiple=sides.multiple, minimum=sides.minimum)


def _check_tiles(shape: Sequence[int | str], metadata: ModelMetadata) -> None:
    """:class:`InputError` where a network that could be cut into tiles is to take too small ones."""
    sides, tiles = fixed_sides(shape, metadata), metadata.tile or TileSpec()
    if tiles.overlap is not None and not can_tile(sides, tiles):
        raise InputError(
            f"{metadata.name!r} looks {tiles.overlap} pixels far, so that its tiles have to be at least"
            f" {2 * (tiles.overlap + tiles.step)} pixels high and wide, not {sides[1]}x{sides[0]}; enlarge --static"
        )


def _is_open(spec: TensorSpec, axis: int) -> bool:
    return isinstance(spec.shape[axis], str)


def _input_names(metadata: ModelMetadata, count: int) -> list[str]:
    if metadata.inputs:
        return [spec.name for spec in metadata.inputs]
    return find_task(metadata.task).input_names(metadata, count)


def _output_names(network: nn.Module, examples: Examples, metadata: ModelMetadata, taken: Sequence[str]) -> list[str]:
    if metadata.outputs:
        # An output cannot have the name of an input.
        return [f"restored_{spec.name}" if spec.name in taken else spec.name for spec in metadata.outputs]
    count = len(flatten_outputs(run_network(network, examples)))
    first = find_task(metadata.task).output_name(metadata)
    return [first, *(f"output_{index}" for index in range(1, count))]


def _completed(metadata: ModelMetadata, conversion: Conversion, digest: str) -> ModelMetadata:
    """With the converted model's inputs and outputs, and where it came from."""
    ranges = [spec.value_range for spec in metadata.outputs] or [None] * len(conversion.outputs)
    outputs = tuple(
        spec.updated(value_range=value_range) for spec, value_range in zip(conversion.outputs, ranges, strict=True)
    )
    first, *beside = conversion.inputs
    value_range = find_task(metadata.task).auxiliary_range
    if value_range is not None:
        beside = [spec.updated(value_range=value_range) for spec in beside]
    inputs = (first.updated(value_range=_input_range(metadata)), *beside)
    names = ("torch", "onnx", "onnxscript")
    versions = {"edgevision": edgevision.__version__} | {name: version(name) for name in names}
    provenance = metadata.provenance.updated(
        checkpoint_sha256=digest,
        versions=dict(metadata.provenance.versions) | versions,
    )
    return metadata.updated(inputs=inputs, outputs=outputs, provenance=provenance)


def _input_range(metadata: ModelMetadata) -> tuple[float, float] | None:
    if metadata.image is None:
        return None
    scale, offset = scale_and_offset(metadata.image)
    return round(float(offset.min()), 6), round(float((255 * scale + offset).max()), 6)
