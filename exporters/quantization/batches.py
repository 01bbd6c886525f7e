"""Of calibration batches a few samples that stand for all."""

from collections.abc import Sequence

import numpy as np

from edgevision.runtime.tasks.samples import Batch

_REPRESENTATIVES = 16


def representatives(batches: Sequence[Batch]) -> Batch:
    """Some samples of equal size."""
    size = batches[0][0].shape[1:]
    alike = [batch for batch in batches if batch[0].shape[1:] == size]
    joined = [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]
    step = max(1, len(joined[0]) // _REPRESENTATIVES)
    return [array[::step][:_REPRESENTATIVES] for array in joined]
