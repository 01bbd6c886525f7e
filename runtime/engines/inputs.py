"""Checking inputs for engines that believe what they are given."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgevision.core.errors import UnfitInputError
from edgevision.modelfiles.graph_check import shapes_match
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.engine import Array


def unfit_inside(shapes: Mapping[str, Sequence[int]], operator: str) -> UnfitInputError:
    """For inputs of ``shapes`` that a model says it takes, and that an ``operator`` in it, as it is named, does not."""
    given = " and ".join(f"{name!r} of {'x'.join(map(str, shape))}" for name, shape in shapes.items())
    return UnfitInputError(
        f"the model takes fewer sizes than it says: {given or 'its input'} does not fit its {operator}, which is fixed"
        " to the size that it was made for; give it that, or make it the only one: edgevision export --static"
    )


def ordered_inputs(specs: Sequence[TensorSpec], inputs: Mapping[str, Array]) -> list[Array]:
    """What a model takes, in its order, each as the dtype of its spec with its numbers next to one another.

    Raises:
        ValueError: one is missing.
        UnfitInputError: one has another shape.
    """
    missing = [spec.name for spec in specs if spec.name not in inputs]
    if missing:
        raise ValueError(f"the model also takes {missing[0]}")
    arrays = [np.asarray(inputs[spec.name], np.dtype(spec.dtype), order="C") for spec in specs]
    for spec, array in zip(specs, arrays, strict=True):
        if not shapes_match(spec.shape, array.shape):
            raise UnfitInputError(f"the model takes {spec.name!r} of {spec.shape}, not of {array.shape}")
    return arrays
