"""Which range of a tensor's values 256 steps are spread over."""

from collections.abc import Iterable
from enum import StrEnum

import numpy as np
import onnx_ir

from edgevision.exporters.passes.ir import Array, constant_input
from edgevision.exporters.quantization.observations import Histogram, Observations
from edgevision.exporters.quantization.units import Unit

# What the calibration has not seen is cut off, which with 16 bits would cost more than all their rounding. Twice the
# range costs one of the bits.
_HEADROOM = 2
# A scale in float32 may be rounded up by less than this.
_JUST_BELOW = 1 - 2**-20
_STEPS = 255
_SHARE = 0.9999


class RangeMethod(StrEnum):
    """How the range is chosen from what was seen."""

    MINMAX = "minmax"
    """All of it."""
    PERCENTILE = "percentile"
    """All but the outermost ten-thousandth at both ends together."""
    MSE = "mse"
    """That with the least squared error of rounding and clipping together."""
    ENTROPY = "entropy"
    """That with the least Kullback-Leibler divergence (Migacz 2017, "8-bit inference with TensorRT")."""


def choose_ranges(seen: Observations, method: RangeMethod) -> dict[str, tuple[float, float]]:
    """Of each tensor, the lowest and the highest value that is represented."""
    return {name: choose_range(histogram, method) for name, histogram in seen.histograms.items()}


def choose_ranges_of_16_bits(
    seen: Observations, units: Iterable[Unit], model: onnx_ir.Model
) -> dict[str, tuple[float, float]]:
    """With headroom, but not past what a Clip lets through.

    Only where the range says the same as the Clip, engines leave it out and fuse the pair with what comes before it.
    """
    extremes = choose_ranges(seen, RangeMethod.MINMAX)
    ranges = {name: (_HEADROOM * low, _HEADROOM * high) for name, (low, high) in extremes.items()}
    nodes = {str(node.name): node for node in model.graph}
    for unit in units:
        last = nodes[unit.nodes[-1]]
        most = constant_input(last, 2) if last.op_type == "Clip" else None
        if most is not None:
            low, high = ranges[unit.output]
            ranges[unit.output] = low, min(high, _JUST_BELOW * float(most))
    return ranges


def choose_range(histogram: Histogram, method: RangeMethod) -> tuple[float, float]:
    """The lowest and the highest value that is represented; what lies beyond is clipped. Zero is always inside."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if method is RangeMethod.MINMAX or not histogram.counts.any():
        return low, high
    if method is RangeMethod.PERCENTILE:
        return _percentile(histogram)
    loss = _squared_error if method is RangeMethod.MSE else _divergence
    centers, weights = _centers(histogram), histogram.counts / float(histogram.counts.sum())
    best: tuple[float, float] = (low, high)
    fewest = loss(centers, weights, low, high)
    # One end after the other: most tensors have one that is zero or nearly so.
    for share in np.linspace(0.98, 0.3, 35):
        for candidate in ((low, share * high), (share * low, high), (share * low, share * high)):
            error = loss(centers, weights, *candidate)
            if error < fewest:
                best, fewest = candidate, error
    return best


def _percentile(histogram: Histogram) -> tuple[float, float]:
    cumulative: Array = np.cumsum(histogram.counts / float(histogram.counts.sum()))
    centers = _centers(histogram)
    tail = (1 - _SHARE) / 2
    first, last = np.searchsorted(cumulative, (tail, 1 - tail))
    return min(float(centers[first]), 0.0), max(float(centers[min(last, len(centers) - 1)]), 0.0)


def _centers(histogram: Histogram) -> Array:
    edges = np.linspace(histogram.low, histogram.high, len(histogram.counts) + 1)
    centers: Array = (edges[1:] + edges[:-1]) / 2
    return centers


def _squared_error(centers: Array, weights: Array, low: float, high: float) -> float:
    # Within a bin values are spread evenly: rounding costs no less than the step's own variance.
    inside = (centers >= low) & (centers <= high)
    step = ((high - low) / _STEPS) ** 2 / 12
    clipped = (centers - np.clip(centers, low, high)) ** 2
    return float(np.sum(weights * np.where(inside, step, clipped)))


def _divergence(centers: Array, weights: Array, low: float, high: float) -> float:
    scale = max(high - low, 1e-12) / _STEPS
    places = np.rint(centers / scale + np.rint(-low / scale)).clip(0, _STEPS).astype(np.intp)
    # What a Relu made zero says nothing of the range, and would drown all that does (Migacz leaves out the first bin).
    weights = np.where(np.abs(centers) <= (centers[1] - centers[0]) / 2, 0, weights)
    kept = (weights > 0) & (centers >= low) & (centers <= high)
    if not kept.any():
        return float("inf")
    # What is clipped is seen at the ends, of which the quantised side knows nothing.
    p = np.where(kept, weights, 0)
    p[np.argmax(kept)] += weights[centers < low].sum()
    p[len(p) - 1 - np.argmax(kept[::-1])] += weights[centers > high].sum()
    totals, filled = np.bincount(places, np.where(kept, weights, 0)), np.bincount(places, kept.astype(float))
    q = np.where(kept, totals[places] / np.maximum(filled[places], 1), 0)
    q /= q.sum()
    return float(np.sum(p[kept] * np.log(p[kept] / q[kept])))
