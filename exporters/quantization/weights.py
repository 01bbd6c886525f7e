"""Weights rounded to int8 so that what the layer gives changes least, rather than the weights themselves."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx_ir
import torch
from torch import Tensor

from edgevision.exporters.passes.ir import Array, constant_input
from edgevision.exporters.quantization.observations import LayerInputs
from edgevision.exporters.quantization.qdq import QuantizedWeights
from edgevision.exporters.quantization.units import channel_axis

_LARGEST = 127
_SHARES = torch.linspace(1.0, 0.6, 21, dtype=torch.float64)
# Added to the variances, as a share of their mean: inputs that always go together say nothing about each alone.
_DAMPING = 0.01
_BLOCK = 128


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let one thread do what is many small steps: several wait for one another ten times as long as they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quantize_weights(
    node: onnx_ir.Node, seen: LayerInputs | None, *, pair_limit: int | None, per_channel: bool = True
) -> QuantizedWeights:
    """The int8 weights of a Conv, ConvTranspose, Gemm or MatMul, and its bias corrected for them.

    Each input's rounding error is spread over the inputs that are still to be rounded, in the way that changes the
    layer's output least on the inputs it was seen with (Frantar et al. 2022, "GPTQ", algorithm 1; here about their
    mean, as the bias takes up what is left of it). Scales are those with the least error of the output, were the
    inputs uncorrelated.

    Args:
        seen: the layer's inputs; ``None`` rounds to the nearest.
        pair_limit: the largest magnitude of the sum of two weights whose products a kernel adds up in 16 bits.
        per_channel: one scale for each output channel, or one for all.
    """
    weight = constant_input(node, 1)
    assert weight is not None
    rows = _rows(node, weight)
    bounds = _bounds(node, weight.shape, pair_limit)
    # MatMul has no bias that could take up a shift.
    has_bias = node.op_type != "MatMul"
    covariance, mean = _second_moments(seen, rows, centered=has_bias)
    diagonal = covariance if covariance.ndim == 2 else covariance.diagonal(dim1=1, dim2=2)
    scales = _scales(rows, diagonal, bounds)
    if not per_channel:
        scales = scales.max().expand_as(scales)
    if covariance.ndim == 3:
        integers = _rounded_in_turn(rows, covariance, scales, bounds)
    else:
        integers = bounds.clamp((rows / scales[..., None]).round())
    per_output = scales.reshape(-1).to(torch.float32).numpy()
    bias = None
    if has_bias:
        shift = torch.einsum("gok,gk->go", rows - integers * scales[..., None], mean).reshape(-1).numpy()
        given = constant_input(node, 2)
        bias = (shift if given is None else shift + given.reshape(-1)).astype(np.float32)
        if given is None and not bias.any():
            bias = None
    values = _restored(node, integers, weight.shape)
    return QuantizedWeights(values, per_output if per_channel else per_output[:1].reshape(()), bias)


@dataclass(frozen=True)
class _Bounds:
    """What the integers of one output may be.

    Each is at most ``largest`` (k,), and each sum of two ``partners`` (k,) at most ``pair``, in magnitude. A column
    without a partner has the number k for it.
    """

    largest: Tensor
    partners: Tensor
    pair: int

    def clamp(self, integers: Tensor) -> Tensor:
        """Integers (groups, outputs, k), what a pair has too much taken from both alike."""
        integers = torch.maximum(torch.minimum(integers, self.largest), -self.largest)
        padded = torch.nn.functional.pad(integers, (0, 1))
        total = integers + padded[..., self.partners]
        excess = total.abs().sub(self.pair).clamp(min=0) * total.sign()
        # Of an odd excess both give the larger half.
        return integers - (excess.abs() / 2).ceil() * excess.sign()

    def least_scale(self, rows: Tensor) -> Tensor:
        """With which nothing has to be clamped, (groups, outputs)."""
        padded = torch.nn.functional.pad(rows, (0, 1))
        alone = (rows.abs() / self.largest).amax(2)
        return torch.maximum(alone, ((rows + padded[..., self.partners]).abs() / self.pair).amax(2)).clamp(min=1e-12)


def _bounds(node: onnx_ir.Node, shape: tuple[int, ...], pair_limit: int | None) -> _Bounds:
    """For the columns of :func:`_rows`.

    A kernel takes the inputs channel by channel within each tap of the convolution, two at a time. Where the channels
    are odd, who meets whom depends on the engine.
    """
    channels, taps = shape[1 - channel_axis(node)], math.prod(shape[2:])
    k = channels * taps
    place = torch.arange(k)
    none = torch.full((k,), k)
    if pair_limit is None:
        return _Bounds(torch.full((k,), float(_LARGEST)), none, 2 * _LARGEST)
    if channels % 2:
        return _Bounds(torch.full((k,), float(pair_limit // 2)), none, pair_limit)
    channel, tap = place // taps, place % taps
    return _Bounds(torch.full((k,), float(_LARGEST)), (channel ^ 1) * taps + tap, pair_limit)


def _rows(node: onnx_ir.Node, weight: Array) -> Tensor:
    """float64 (groups, outputs, k): an output's weights side by side, the taps of a channel together."""
    axis = channel_axis(node)
    flat = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    groups = node.attributes.get_int("group", 1) if node.op_type == "Conv" else 1
    return torch.from_numpy(flat.reshape(groups, -1, flat.shape[1]).astype(np.float64))


def _restored(node: onnx_ir.Node, integers: Tensor, shape: tuple[int, ...]) -> Array:
    axis = channel_axis(node)
    others = [size for index, size in enumerate(shape) if index != axis]
    values = integers.reshape(shape[axis], *others).numpy().astype(np.int8)
    return np.ascontiguousarray(np.moveaxis(values, 0, axis))


def _second_moments(seen: LayerInputs | None, rows: Tensor, *, centered: bool) -> tuple[Tensor, Tensor]:
    """Of the inputs: the covariances (groups, k, k) or the variances (groups, k), and the means (groups, k)."""
    groups, _, k = rows.shape
    if seen is None:
        return torch.ones(groups, k, dtype=torch.float64), torch.zeros(groups, k, dtype=torch.float64)
    mean, covariance = torch.from_numpy(seen.mean), torch.from_numpy(seen.covariance)
    if not centered:
        covariance = covariance + (mean[:, :, None] * mean[:, None, :] if covariance.ndim == 3 else mean**2)
    return covariance, mean


def _scales(rows: Tensor, diagonal: Tensor, bounds: _Bounds) -> Tensor:
    """(groups, outputs): shares of the least that clamps nothing are tried."""
    least = bounds.least_scale(rows)
    best, fewest = least, torch.full_like(least, torch.inf)
    importance = diagonal[:, None, :] + 1e-3 * diagonal.mean(1)[:, None, None] + 1e-30
    for share in _SHARES:
        scale = least * share
        rounded = bounds.clamp((rows / scale[..., None]).round()) * scale[..., None]
        error = ((rows - rounded) ** 2 * importance).sum(2)
        better = error < fewest
        best, fewest = torch.where(better, scale, best), torch.where(better, error, fewest)
    return best


def _rounded_in_turn(rows: Tensor, covariance: Tensor, scales: Tensor, bounds: _Bounds) -> Tensor:
    groups, outputs, k = rows.shape
    damped = covariance.clone()
    diagonal = damped.diagonal(dim1=1, dim2=2)
    diagonal += _DAMPING * diagonal.mean(1, keepdim=True) + 1e-12
    # The most important are rounded first, while there are others to make up for it.
    order = diagonal.argsort(dim=1, descending=True)
    damped = damped.gather(1, order[:, :, None].expand_as(damped)).gather(2, order[:, None, :].expand_as(damped))
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    work = rows.gather(2, order[:, None, :].expand_as(rows))
    # In the natural order, and a column of zeros for what has no partner.
    integers = torch.zeros(groups, outputs, k + 1, dtype=rows.dtype)
    every = torch.arange(groups)
    for start in range(0, k, _BLOCK):
        stop = min(start + _BLOCK, k)
        errors = torch.empty_like(work[:, :, start:stop])
        for i in range(start, stop):
            column = order[:, i]
            partner = integers[every, :, bounds.partners[column]]
            largest = bounds.largest[column][:, None]
            low = torch.maximum(-largest, -bounds.pair - partner)
            high = torch.minimum(largest, bounds.pair - partner)
            rounded = torch.minimum(torch.maximum((work[:, :, i] / scales).round(), low), high)
            integers[every, :, column] = rounded
            error = (work[:, :, i] - rounded * scales) / factor[:, i, i][:, None]
            work[:, :, i:stop] -= error[:, :, None] * factor[:, None, i, i:stop]
            errors[:, :, i - start] = error
        work[:, :, stop:] -= errors @ factor[:, start:stop, stop:]
    return integers[:, :, :k]
