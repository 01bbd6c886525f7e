"""Calibration batches as a model of a fixed batch takes them, and a few samples that stand for all."""

from collections.abc import Sequence

import numpy as np

from edgevision.runtime.tasks.samples import Batch

_REPRESENTATIVES = 16


def in_portions(batches: Sequence[Batch], size: int) -> list[Batch]:
    """As whole batches of the size that the model is fixed to, filled up with the first samples again."""
    portions: list[Batch] = []
    for batch in batches:
        count = len(batch[0])
        places = np.arange(-(-count // size) * size).reshape(-1, size) % count
        portions += [[array[place] for array in batch] for place in places]
    return portions


def representatives(batches: Sequence[Batch]) -> Batch:
    """Some samples of equal size."""
    size = batches[0][0].shape[1:]
    alike = [batch for batch in batches if batch[0].shape[1:] == size]
    joined = [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]
    step = max(1, len(joined[0]) // _REPRESENTATIVES)
    return [array[::step][:_REPRESENTATIVES] for array in joined]
