"""Running a model on any number of samples, whatever batch it was exported for."""

from collections.abc import Sequence

import numpy as np

from edgevision.runtime.engines.engine import Array, Engine


def run_batched(engine: Engine, samples: Sequence[Array], *, most: int | None = None) -> list[Array]:
    """All outputs for ``samples``, one array for each input of the model in its order, all of the same length.

    A model with a fixed batch takes them in portions of its own, the last one filled up; any other at most ``most`` at
    once, by default all.
    """
    count = sample_count(samples)
    fixed = engine.inputs[0].shape[0] if engine.inputs[0].shape else None
    size = fixed if isinstance(fixed, int) else most or count
    names = [spec.name for spec in engine.inputs]
    if count == size:
        return engine.run(dict(zip(names, samples, strict=True)))
    # What is filled up repeats the last sample.
    missing = -count % size if isinstance(fixed, int) else 0
    full = [np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for array in samples]
    parts = [
        engine.run({name: array[i : i + size] for name, array in zip(names, full, strict=True)})
        for i in range(0, len(full[0]), size)
    ]
    return [np.concatenate(outputs)[:count] for outputs in zip(*parts, strict=True)]


def sample_count(samples: Sequence[Array]) -> int:
    """How many samples there are of each input; a single number is one."""
    return len(samples[0]) if samples[0].ndim else 1
