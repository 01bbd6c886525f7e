"""Random inputs for a model, of the size and the range that it says it takes."""

import math
from collections.abc import Mapping

import numpy as np

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.engine import Array

_MOST_VALUES = 2**28
"""Of one input, which are a gigabyte."""


def input_sizes(
    inputs: tuple[TensorSpec, ...], metadata: ModelMetadata | None, *, batch: int, shape: tuple[int, ...] | None
) -> dict[str, tuple[int, ...]]:
    """The full shape of each input, with ``shape`` for the first one where that is given.

    Raises:
        InputError: a dynamic side is known neither from the metadata nor from ``shape``, or the model is fixed to
            another; the model takes no input.
    """
    if not inputs:
        raise InputError("the model takes no input, so there is nothing that its latency could depend on")
    if shape is None:
        return {spec.name: _bounded(spec, _sizes(spec, metadata, batch, None)) for spec in inputs}
    first, *others = inputs
    fits = len(shape) == len(first.shape) and all(
        own == size for own, size in zip(first.shape, shape, strict=True) if isinstance(own, int)
    )
    if not fits:
        raise InputError(
            f"the model's input {first.name!r} is {'x'.join(map(str, first.shape))}, which {'x'.join(map(str, shape))}"
            " does not fit; --shape gives another input size"
        )
    return {first.name: shape} | {spec.name: _bounded(spec, _sizes(spec, metadata, batch, shape)) for spec in others}


def random_feeds(
    inputs: tuple[TensorSpec, ...], metadata: ModelMetadata | None, sizes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, Array]:
    """Inputs of ``sizes`` from numpy's ``default_rng(seed)``, uniform in the declared range, or in 0..1 without one.

    Raises:
        InputError: an input is of a kind that is not drawn, as text, or does not fit into memory.
    """
    generator = np.random.default_rng(seed)
    declared = {spec.name: spec for spec in metadata.inputs} if metadata else {}
    feeds: dict[str, Array] = {}
    for spec in inputs:
        low, high = (declared[spec.name].value_range if spec.name in declared else None) or (0.0, 1.0)
        try:
            dtype = np.dtype(spec.dtype)
            if dtype.kind == "f":
                feeds[spec.name] = generator.uniform(low, high, sizes[spec.name]).astype(dtype)
            else:
                feeds[spec.name] = generator.integers(int(low), int(high) + 1, sizes[spec.name]).astype(dtype)
        except TypeError as error:
            raise InputError(f"the model's input {spec.name!r} is {spec.dtype}, which is not made at random") from error
        except (MemoryError, ValueError) as error:
            size = "x".join(map(str, sizes[spec.name]))
            why = "does not fit into memory" if isinstance(error, MemoryError) else "cannot be made"
            raise InputError(f"an input of {size} for {spec.name!r} {why}: {error}") from error
    return feeds


def _bounded(spec: TensorSpec, sizes: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(sizes) > _MOST_VALUES:
        raise InputError(
            f"an input of {'x'.join(map(str, sizes))} for {spec.name!r} has more than {_MOST_VALUES} values; give a"
            " smaller --batch or --shape"
        )
    return sizes


def _sizes(
    spec: TensorSpec, metadata: ModelMetadata | None, batch: int, first: tuple[int, ...] | None
) -> tuple[int, ...]:
    sizes = list(spec.shape)
    if first is not None and len(first) == len(sizes):
        # A mask beside a picture has the picture's size.
        sizes = [own if isinstance(own, int) else other for own, other in zip(sizes, first, strict=True)]
    if sizes and isinstance(sizes[0], str):
        sizes[0] = batch
    elif sizes and batch != 1 and sizes[0] != batch:
        raise InputError(f"the model's batch is fixed at {sizes[0]}, it cannot run {batch}; leave --batch out")
    image = metadata.image if metadata else None
    if image is not None and image.size is not None and len(sizes) == 4:
        sizes[2:] = [
            known if isinstance(known, int) else side for known, side in zip(sizes[2:], image.size, strict=True)
        ]
    unknown = [size for size in sizes if isinstance(size, str)]
    if unknown:
        raise InputError(
            f"the model's input {spec.name!r} is {spec.shape}; give its size with --shape, e.g. 1x3x224x224"
        )
    return tuple(int(size) for size in sizes)
