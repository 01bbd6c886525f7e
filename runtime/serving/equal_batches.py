"""Whether a network gives a picture the same answer, to the last bit, when others go through it at the same time.

Matrix products of other sizes may add in another order. What a server says is to be what the command line says, so
requests share a batch only where that was seen to make no difference on this machine.
"""

import numpy as np

from edgevision.core.errors import EdgevisionError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine


def largest_equal_batch(engine: Engine, metadata: ModelMetadata, most: int) -> int:
    """The largest power of two up to ``most``, of which and of all smaller ones batches give equal answers."""
    shape = find_task(metadata.task).sample_shape(metadata)
    batched = [spec.shape[:1] for spec in (*engine.inputs, *engine.outputs)]
    if most < 2 or shape is None or len(engine.inputs) != 1 or any(isinstance(axis[0], int) for axis in batched):
        return 1
    try:
        return _largest(engine, metadata, shape, most)
    except (EdgevisionError, ValueError):  # what only a batch of one fits through, by whatever the graph says
        return 1


def _largest(engine: Engine, metadata: ModelMetadata, shape: tuple[int, ...], most: int) -> int:
    name = engine.inputs[0].name
    ((samples,),) = find_task(metadata.task).samples(metadata, shape, most, 0)
    single = [engine.run({name: samples[i : i + 1]}) for i in range(most)]
    equal = 1
    while 2 * equal <= most:
        together = engine.run({name: samples[: 2 * equal]})
        for place in range(2 * equal):
            for whole, alone in zip(together, single[place], strict=True):
                if not np.array_equal(whole[place : place + 1], alone, equal_nan=whole.dtype.kind == "f"):
                    return equal
        equal *= 2
    return equal
