"""How numbers become symbols: by rounding, and by a short table of scales, so that an integer names one of them."""

import math

import numpy as np
from numpy.typing import NDArray

SCALE_COUNT = 64
LEAST_SCALE = 0.05
"""Of a logistic distribution; with this one a symbol that is not 0 comes once in ten thousand."""
SCALE_STEP = 0.115
"""Natural logarithm of a scale over the one before it; the greatest is 70."""

TOTAL_FREQUENCY = 1 << 16

SQUARE_BITS = 20.0
"""How many bits an error of one step is worth, as a square: of the integers on both sides of a number that one becomes
its symbol which costs less. More than the 8.7 that it were if errors up to half a step were all as frequent, the
derivative of log2(variance) / 2 at 1/12: most numbers are much smaller than a step, and their errors what they are."""

RESTORED_SHIFT = 0.1
"""How many steps beyond its symbol a number is taken to be: small ones, which become 0, are frequent."""

# Reaching so many scales far, all but six in a million symbols have a frequency of their own.
_REACH = 12
_FARTHEST = 512


def frequency_table(scale: float) -> NDArray[np.uint16]:
    """How often of 65536 times each of the symbols -R..R comes, logistic with that scale, and last any other.

    Each comes once at least. R is (length - 2) / 2.
    """
    reach = min(max(math.ceil(_REACH * scale), 1), _FARTHEST)
    edges = np.arange(-reach, reach + 2) - 0.5
    below = 1 / (1 + np.exp(-edges / scale))
    shares = np.append(np.diff(below), 1 - (below[-1] - below[0]))
    counts = np.maximum(np.rint(shares * TOTAL_FREQUENCY), 1).astype(np.int64)
    counts[reach] += TOTAL_FREQUENCY - counts.sum()  # the middle one is the most frequent and can spare it
    table: NDArray[np.uint16] = counts.astype(np.uint16)
    return table


def frequency_tables() -> tuple[NDArray[np.uint16], ...]:
    """That of each scale."""
    return tuple(frequency_table(LEAST_SCALE * math.exp(SCALE_STEP * index)) for index in range(SCALE_COUNT))
