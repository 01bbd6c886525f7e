"""How many independent samples a series of latencies is worth.

Caches, clocks and other programs make neighbours alike, and a warming board drifts. The variance of a mean of ``n``
such samples is larger than ``1/n`` of a sample's; by how much is estimated in two ways, and the larger one is taken:

* from the autocorrelation, as far as it stands out of the noise (the rule of Politis, "Adaptive bandwidth choice",
  2003): what passes within some dozens of samples;
* from the means of forty batches, where these spread more than chance allows: what lasts longer.

A series of independent samples comes out as worth what it has, in both ways.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BATCHES = 40
# 40 means of independent samples spread more than this, relative to what is expected, once in a thousand series.
_CHANCE = 1.86
_LONGEST_LAG = 200
_QUIET_LAGS = 5


def effective_share(series: NDArray[Any]) -> float:
    """Between 0 and 1: the samples that ``series``, in its order of time, is worth for its mean over those it has.

    For a percentile give whether each sample lies below it.
    """
    values = np.asarray(series, np.float64)
    deviations = values - values.mean()
    variance = float(np.mean(deviations**2))
    if len(values) < 2 * _QUIET_LAGS or variance == 0:
        return 1.0
    by_lag, by_batch = (f(deviations, variance) for f in (_inflation_by_autocorrelation, _inflation_by_batch_means))
    return 1 / max(1.0, by_lag, by_batch)


def _inflation_by_autocorrelation(deviations: NDArray[np.float64], variance: float) -> float:
    count = len(deviations)
    noise = 2 * math.sqrt(math.log10(count) / count)
    lags = min(_LONGEST_LAG, count // 5)
    spectrum = np.abs(np.fft.rfft(deviations, 2 * count)) ** 2
    correlations = np.fft.irfft(spectrum)[: lags + 1] / (count * variance)
    loud = np.flatnonzero(np.abs(correlations) >= noise)
    quiet = np.flatnonzero(np.diff([*loud.tolist(), lags + _QUIET_LAGS + 1]) > _QUIET_LAGS)
    last = int(loud[quiet[0]])
    if last == 0:
        return 1.0
    # Full weight up to the last lag that stands out, falling to none at twice that.
    reach = min(2 * last, lags)
    weights = np.minimum(1.0, 2 - np.arange(1, reach + 1) / last)
    return float(1 + 2 * np.sum(weights * correlations[1 : reach + 1]))


def _inflation_by_batch_means(deviations: NDArray[np.float64], variance: float) -> float:
    length = len(deviations) // _BATCHES
    if length < 2:
        return 1.0
    means = deviations[: length * _BATCHES].reshape(_BATCHES, length).mean(axis=1)
    inflation = length * float(means.var(ddof=1)) / variance
    return inflation if inflation > _CHANCE else 1.0
