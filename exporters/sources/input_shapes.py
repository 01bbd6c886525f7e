"""The shapes that a model to be exported takes: fixed where that is asked for, or where they are not what it says."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.passes.static_shapes import with_static_shapes
from edgevision.exporters.samples import seeded_batches
from edgevision.exporters.sources.foreign_model import probe_dynamic_axes
from edgevision.exporters.sources.source_model import SourceModel, keeps_size
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.restoration.tile_sizes import can_tile, fixed_sides


def with_static_shape(source: SourceModel, shape: tuple[int, ...] | None = None, *, seed: int = 0) -> SourceModel:
    """``source`` with its first input of ``shape`` alone, by default one picture, or one tile of the advised size.

    Raises:
        InputError: the network does not take that shape, or pictures are resized to another.
        ModelFileError: the metadata contradicts the shape.
    """
    tile = source.metadata.tile
    by_size = (
        tile is not None and tile.overlap is not None if keeps_size(source.metadata) else _keeps_own(source.metadata)
    )
    if shape is None and by_size and "height" in source.conversion.dynamic:
        side = (tile or TileSpec()).advised_side
        shape = (1, source.shape[0], side, side)
    examples = _examples_of(source, shape or (1, *source.shape), seed)
    conversion = replace(source.conversion, model=with_static_shapes(source.conversion.model, examples), dynamic=())
    metadata = _with_shapes(source.metadata, conversion)
    if keeps_size(metadata):
        _check_tiles(metadata.inputs[0].shape, metadata)
    else:
        metadata = _of_one_size(metadata, examples)
    shape = tuple(examples[0].shape[1:])
    return replace(source, conversion=conversion, metadata=metadata, shape=shape, examples=examples)


def with_probed_axes(source: SourceModel) -> SourceModel:
    """``source`` with those axes fixed that its graph says are dynamic and that are not, which is noted."""
    metadata, declared, examples = source.metadata, source.conversion.dynamic, source.examples
    if not declared or examples[0].ndim == 0:
        return source
    with source.reference() as engine:
        dynamic, sides = probe_dynamic_axes(
            engine,
            examples,
            declared,
            multiple=metadata.tile.multiple if metadata.tile else 1,
            keeps_size=keeps_size(metadata),
        )
    conversion = replace(source.conversion, dynamic=dynamic, picture_sizes=sides)
    fixed = [name for name in declared if name not in dynamic]
    reference = source.reference
    if fixed:
        shape = "x".join(map(str, examples[0].shape))
        note = f"{' and '.join(fixed)} fixed, as of {shape}: the graph says it is dynamic and takes no other"
        model = with_static_shapes(conversion.model, examples, fixed)
        conversion = replace(conversion, model=model, notes=(*conversion.notes, note))
        metadata = _with_shapes(metadata, conversion)
        if not keeps_size(metadata):
            metadata = _of_one_size(metadata, examples)

        def reference() -> Engine:
            engine = source.reference()
            engine.inputs = conversion.inputs
            return engine

    if not keeps_size(metadata) and metadata.image is not None:
        metadata = metadata.updated(tile=size_limits(metadata, conversion))
    return replace(source, conversion=conversion, metadata=metadata, reference=reference)


def tile_notes(metadata: ModelMetadata, known: TileSpec | None) -> tuple[str, ...]:
    """What a user has to know of the sizes that a model takes, beyond what is ``known`` of them from its metadata."""
    tile, tiled = metadata.tile, keeps_size(metadata)
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


def size_limits(metadata: ModelMetadata, conversion: Conversion) -> TileSpec | None:
    """What sides a network takes whose pictures are never cut; ``None`` for any, or only one."""
    sides = conversion.picture_sizes
    if sides is None or "height" not in conversion.dynamic or sides.multiple == sides.minimum == 1:
        return metadata.tile
    return (metadata.tile or TileSpec()).updated(multiple=sides.multiple, minimum=sides.minimum)


def _examples_of(source: SourceModel, shape: tuple[int, ...], seed: int) -> Examples:
    taken = source.metadata.inputs[0].shape
    fits = len(shape) == len(taken) and all(isinstance(t, str) or s == t for s, t in zip(shape, taken, strict=True))
    multiple = source.metadata.tile.multiple if source.metadata.tile else 1
    if not fits or any(side % multiple for side in shape[2:]):
        sides = "x".join(map(str, taken)) + (f", sides in multiples of {multiple}" if multiple > 1 else "")
        raise InputError(f"--static {'x'.join(map(str, shape))} does not fit the network, which takes {sides}")
    size = source.metadata.image.size if source.metadata.image else None
    if size is not None and tuple(shape[-2:]) != size:
        height, width = size
        raise InputError(
            f"--static {'x'.join(map(str, shape))} does not fit {source.metadata.name!r}, whose pictures are resized"
            f" to {height}x{width}"
        )
    sample = next(iter(seeded_batches(source.metadata, shape[1:], 1, seed)))
    return tuple(torch.from_numpy(array).repeat(shape[0], *[1] * (array.ndim - 1)) for array in sample)


def _keeps_own(metadata: ModelMetadata) -> bool:
    """Whether pictures are given in their own size."""
    return metadata.image is not None and metadata.image.size is None


def _of_one_size(metadata: ModelMetadata, examples: Examples) -> ModelMetadata:
    """With the size of ``examples`` for all pictures, of which smaller ones are not enlarged if they are padded."""
    if metadata.image is None or not _keeps_own(metadata):
        return metadata
    height, width = examples[0].shape[2:]
    return metadata.updated(image=metadata.image.updated(size=(height, width), scale_up=False))


def _with_shapes(metadata: ModelMetadata, conversion: Conversion) -> ModelMetadata:
    """With the shapes of the converted model."""

    def shaped(old: Sequence[TensorSpec], new: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        return tuple(one.updated(shape=other.shape) for one, other in zip(old, new, strict=True))

    return metadata.updated(
        inputs=shaped(metadata.inputs, conversion.inputs), outputs=shaped(metadata.outputs, conversion.outputs)
    )


def _check_tiles(shape: Sequence[int | str], metadata: ModelMetadata) -> None:
    """:class:`InputError` where a network that could be cut into tiles is to take too small ones."""
    sides, tiles = fixed_sides(shape, metadata), metadata.tile or TileSpec()
    if tiles.overlap is not None and not can_tile(sides, tiles):
        raise InputError(
            f"{metadata.name!r} looks {tiles.overlap} pixels far, so that its tiles have to be at least"
            f" {2 * (tiles.overlap + tiles.step)} pixels high and wide, not {sides[1]}x{sides[0]}; enlarge --static"
        )
