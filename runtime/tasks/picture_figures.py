"""A figure for each picture, by which different metadata of one model are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PictureFigures:
    """What a model makes of pictures, the better the larger.

    Attributes:
        metric: what the mean of ``values`` is called.
        unit: of differences between them.
        values: float64 (pictures,).
        fine: float64 (pictures,), which tells settings apart that ``values`` do not.
        truth: whether the pictures' truth is known; without it the figures are a guess.
    """

    metric: str
    unit: str
    values: NDArray[np.float64]
    fine: NDArray[np.float64]
    truth: bool = True
