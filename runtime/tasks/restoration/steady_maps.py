"""What a network predicts of a stream's frames, kept from flickering."""

from typing import Any

import numpy as np


class SteadyMaps:
    """Predictions of one frame after the other, each drawn towards those before.

    Where they jump, as at a cut, they begin anew.
    """

    def __init__(self, smooth: float) -> None:
        """``smooth`` is the share of what was before, 0 for none of it to just below 1."""
        self._smooth = smooth
        self._before: tuple[Any, ...] | None = None

    def __call__(self, *predicted: Any, cut: float) -> tuple[Any, ...]:
        """What is to be used in place of what is ``predicted`` of the next frame.

        Args:
            predicted: float32 arrays or numbers, the same ones for each frame; the first is an array.
            cut: mean absolute difference of the first from that before, which only another scene makes.
        """
        before = self._before
        if before is not None and before[0].shape == predicted[0].shape:
            change = [then - now for then, now in zip(before, predicted, strict=True)]
            if np.abs(change[0]).mean() <= cut:
                predicted = tuple(now + self._smooth * by for now, by in zip(predicted, change, strict=True))
        self._before = predicted
        return predicted
