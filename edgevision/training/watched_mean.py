"""A mean over an epoch that ends the training where a value is no number."""

import torch
import torchmetrics
from torch import Tensor

from edgevision.core.errors import CollapseError


class WatchedMean(torchmetrics.MeanMetric):
    """The mean of ``what`` since the last reset."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def update(self, values: Tensor) -> None:  # type: ignore[override]
        """Count ``values``, of any shape.

        Raises:
            CollapseError: one is not finite. The weights are lost then; torchmetrics would leave the value out.
        """
        if not torch.isfinite(values).all():
            raise CollapseError(
                f"the training collapsed: the {self._what} is {values.mean().item()}; try a lower --learning-rate."
                " last.ckpt, if it is there, has what was learned before"
            )
        super().update(values.detach())
