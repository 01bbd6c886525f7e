"""The moving average of a network's weights in short trainings."""

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class RampedAverage(WeightAveraging):
    """An exponential moving average whose decay rises to ``decay``: after n steps it is (1 + n) / (10 + n) at most.

    With a constant one a training of a few thousand steps would be validated with what it began with.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, steps: Tensor) -> Tensor:
            share = min(decay, (1 + int(steps)) / (10 + int(steps)))
            return share * averaged + (1 - share) * current

        super().__init__(avg_fn=average)
