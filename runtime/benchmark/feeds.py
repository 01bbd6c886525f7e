"""Random inputs for a model, of the size and the range that it says it takes."""

import numpy as np

from edgevision.errors import InputError
from edgevision.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.engine import Array


def random_feeds(
    inputs: tuple[TensorSpec, ...],
    metadata: ModelMetadata | None,
    *,
    batch: int,
    shape: tuple[int, ...] | None,
    seed: int,
) -> dict[str, Array]:
    """Inputs drawn by numpy's ``default_rng(seed)``, uniform in the declared value range, or in 0..1 without one.

    Raises:
        InputError: a dynamic side is known neither from the metadata nor from ``shape``.
    """
    generator = np.random.default_rng(seed)
    declared = {spec.name: spec for spec in metadata.inputs} if metadata else {}
    feeds: dict[str, Array] = {}
    for position, spec in enumerate(inputs):
        sizes = shape if shape is not None and position == 0 else _sizes(spec, metadata, batch, shape)
        low, high = (declared[spec.name].value_range if spec.name in declared else None) or (0.0, 1.0)
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            feeds[spec.name] = generator.uniform(low, high, sizes).astype(dtype)
        else:
            feeds[spec.name] = generator.integers(int(low), int(high) + 1, sizes).astype(dtype)
    return feeds


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
