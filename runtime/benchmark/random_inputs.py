"""Random inputs for a model, of the size and the range that it says it takes."""

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Array

_log = logging.getLogger(__name__)

_MOST_VALUES = 2**28
"""Of one input, which are a gigabyte."""

_WINDOW_RANK = 5
"""Of a window of frames, whose length no picture tells."""


def input_shapes(
    inputs: tuple[TensorSpec, ...], metadata: ModelMetadata | None, *, batch: int, shape: tuple[int, ...] | None
) -> dict[str, tuple[int, ...]]:
    """The full shape of each input, with ``shape`` for the first one where that is given.

    Dynamic axes of an image are those that the metadata fixes, or else the advised side of a tile; a window of frames
    has as many as its task says.

    Raises:
        InputError: a dynamic axis is known neither from the metadata nor from ``shape``, or the model is fixed to
            another; the model takes no input.
    """
    if not inputs:
        raise InputError("the model takes no input, so there is nothing that its latency could depend on")
    first, *others = inputs
    sides = metadata.image.size if metadata and metadata.image else None
    if shape is not None:
        fits = len(shape) == len(first.shape) and all(
            own == size for own, size in zip(first.shape, shape, strict=True) if isinstance(own, int)
        )
        if not fits:
            raise InputError(
                f"the model's input {first.name!r} is {_by(first.shape)}, which {_by(shape)} does not fit; --shape"
                " gives another input size"
            )
    elif sides is None and metadata and metadata.tile and any(isinstance(own, str) for own in first.shape[2:]):
        sides = (metadata.tile.advised_side, metadata.tile.advised_side)
        _log.info(
            "%r takes any size and is measured on its advised tile, %s; --shape gives another", first.name, _by(sides)
        )
    if shape is None and metadata is not None and len(first.shape) == _WINDOW_RANK:
        own = find_task(metadata.task).sample_shape(metadata)
        shape = None if own is None else _full_shape(first.updated(shape=(first.shape[0], *own)), None, batch, None)
    shapes = {spec.name: _full_shape(spec, sides, batch, shape) for spec in others}
    return {first.name: shape or _full_shape(first, sides, batch, None)} | shapes


def random_inputs(
    inputs: tuple[TensorSpec, ...], metadata: ModelMetadata | None, shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, Array]:
    """Inputs of ``shapes`` from numpy's ``default_rng(seed)``, uniform in the declared range, or in 0..1 without one.

    Raises:
        InputError: an input is of a kind that is not drawn, as text, or does not fit into memory.
    """
    generator = np.random.default_rng(seed)
    declared = {spec.name: spec for spec in metadata.inputs} if metadata else {}
    made: dict[str, Array] = {}
    for spec in inputs:
        low, high = (declared[spec.name].value_range if spec.name in declared else None) or (0.0, 1.0)
        try:
            dtype = np.dtype(spec.dtype)
            if dtype.kind == "f":
                made[spec.name] = generator.uniform(low, high, shapes[spec.name]).astype(dtype)
            else:
                made[spec.name] = generator.integers(int(low), int(high) + 1, shapes[spec.name]).astype(dtype)
        except TypeError as error:
            raise InputError(f"the model's input {spec.name!r} is {spec.dtype}, which is not made at random") from error
        except (MemoryError, ValueError) as error:
            size = _by(shapes[spec.name])
            why = "does not fit into memory" if isinstance(error, MemoryError) else "cannot be made"
            raise InputError(f"an input of {size} for {spec.name!r} {why}: {error}") from error
    return made


def _full_shape(
    spec: TensorSpec, sides: tuple[int, int] | None, batch: int, first: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The shape of an input; ``sides`` are an image's height and width, ``first`` is the model's first input's."""
    shape = list(spec.shape)
    if first is not None and len(first) == len(shape):
        # A mask beside a picture has the picture's size.
        shape = [own if isinstance(own, int) else other for own, other in zip(shape, first, strict=True)]
    if shape and isinstance(shape[0], str):
        shape[0] = batch
    elif shape and batch != 1 and shape[0] != batch:
        raise InputError(f"the model's batch is fixed at {shape[0]}, it cannot run {batch}; leave --batch out")
    if sides is not None and len(shape) == 4:
        shape[2:] = [own if isinstance(own, int) else side for own, side in zip(shape[2:], sides, strict=True)]
    known = tuple(size for size in shape if isinstance(size, int))
    if len(known) < len(shape):
        raise InputError(
            f"the model's input {spec.name!r} is {spec.shape}; give its size with --shape, e.g. 1x3x224x224"
        )
    if math.prod(known) > _MOST_VALUES:
        raise InputError(
            f"an input of {_by(known)} for {spec.name!r} has more than {_MOST_VALUES} values; give a smaller --batch or"
            " --shape"
        )
    return known


def _by(shape: Sequence[int | str]) -> str:
    return "x".join(map(str, shape))
