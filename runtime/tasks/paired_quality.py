"""How much worse pictures came out that two models made figures of, one by one."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from edgevision.runtime.tasks.loss_bound import paired_bound
from edgevision.runtime.tasks.quality import Quality

Key = TypeVar("Key", bound=Hashable)
Figures = Mapping[str, float]


def paired_quality(
    metric: str, before: Mapping[Key, Figures], after: Mapping[Key, Figures], loss: Callable[[Figures, Figures], float]
) -> Quality:
    """The means of the figures ``after``, and that of the ``loss`` of each picture which has some ``before``.

    Where one of these pictures has none any more the loss is infinite.
    """
    # A mean without those that it cannot do would make a model look better than it is.
    if before.keys() - after.keys():
        return Quality(figures={metric: math.nan}, loss=math.inf)
    losses = [loss(figures, after[key]) for key, figures in before.items()]
    return Quality(figures=mean_figures([*after.values()]), loss=float(np.mean(losses)), bound=paired_bound(losses))


def mean_figures(pictures: Sequence[Figures]) -> dict[str, float]:
    """Of each figure of pictures the mean."""
    return {name: float(np.mean([figures[name] for figures in pictures])) for name in pictures[0]}
