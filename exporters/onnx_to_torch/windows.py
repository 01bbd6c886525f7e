"""Operators of ONNX that slide a window over pictures, or over signals and volumes: convolutions and pooling."""

import math
from collections.abc import Sequence

import onnx_ir
from torch import Tensor
from torch.nn import functional as F

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_LARGEST = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_MEAN = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def conv(node: onnx_ir.Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Conv."""
    axes, options = weight.ndim - 2, node.attributes
    strides, dilations = _each(node, "strides", axes), _each(node, "dilations", axes)
    pads = _pads(node, x.shape[2:], weight.shape[2:], strides, dilations)
    x, padding = _padded(x, pads)
    convolution = _CONVOLUTIONS[axes]
    return convolution(x, weight, bias, strides, padding, dilations, options.get_int("group", 1))


def conv_transpose(node: onnx_ir.Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """ConvTranspose; what is padded is cropped from the whole result."""
    axes, options = weight.ndim - 2, node.attributes
    strides, dilations = _each(node, "strides", axes), _each(node, "dilations", axes)
    kind, wanted = options.get_string("auto_pad", "NOTSET"), options.get_ints("output_shape", [])
    if kind.startswith("SAME"):
        wanted = wanted or [side * stride for side, stride in zip(x.shape[2:], strides, strict=True)]
    pads = list(options.get_ints("pads", [0] * 2 * axes))
    even = None if wanted else _even(pads)
    more, groups = options.get_ints("output_padding", [0] * axes), options.get_int("group", 1)
    whole = _TRANSPOSED[axes](x, weight, bias, strides, even or 0, more, groups, dilations)
    if even is not None:
        return whole
    if wanted:
        total = [side - want for side, want in zip(whole.shape[2:], wanted, strict=True)]
        less, more_half = [count // 2 for count in total], [count - count // 2 for count in total]
        pads = less + more_half if kind == "SAME_UPPER" else more_half + less
    return _pad(whole, [-pad for pad in pads])


def max_pool(node: onnx_ir.Node, x: Tensor) -> Tensor:
    """MaxPool, its values only."""
    kernel = list(node.attributes["kernel_shape"].as_ints())
    strides, dilations = _each(node, "strides", len(kernel)), _each(node, "dilations", len(kernel))
    pads = _pads(node, x.shape[2:], kernel, strides, dilations)
    if node.attributes.get_int("ceil_mode", 0):
        pads = _to_the_end(pads, x.shape[2:], kernel, strides, dilations)
    x, padding = _padded(x, pads, kernel, value=-math.inf)
    return _LARGEST[len(kernel)](x, kernel, strides, padding, dilations)


def average_pool(node: onnx_ir.Node, x: Tensor) -> Tensor:
    """AveragePool; what is padded counts where ``count_include_pad`` says so."""
    kernel = list(node.attributes["kernel_shape"].as_ints())
    strides, ones = _each(node, "strides", len(kernel)), [1] * len(kernel)
    pads, mean = _pads(node, x.shape[2:], kernel, strides, ones), _MEAN[len(kernel)]
    padding_counts, to_the_end = (bool(node.attributes.get_int(name, 0)) for name in ("count_include_pad", "ceil_mode"))
    even = _even(pads, kernel)
    if even is not None and not to_the_end:
        return mean(x, kernel, strides, even, count_include_pad=padding_counts)
    counted = _pad(x.new_ones((1, 1, *x.shape[2:])), pads, float(padding_counts))
    x = _pad(x, pads)
    if to_the_end:
        # What lies beyond the padding never counts.
        beyond = _to_the_end([0] * 2 * len(kernel), x.shape[2:], kernel, strides, ones)
        x, counted = _pad(x, beyond), _pad(counted, beyond)
    return mean(x, kernel, strides) / mean(counted, kernel, strides)


def _each(node: onnx_ir.Node, name: str, axes: int) -> list[int]:
    return list(node.attributes.get_ints(name, [1] * axes))


def _pads(
    node: onnx_ir.Node, sides: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """At the beginning of all axes, then at their ends."""
    kind = node.attributes.get_string("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID"):
        return list(node.attributes.get_ints("pads", [0] * 2 * len(kernel)))
    total = [
        max(0, (-(-side // stride) - 1) * stride + (size - 1) * dilation + 1 - side)
        for side, size, stride, dilation in zip(sides, kernel, strides, dilations, strict=True)
    ]
    less, more = [count // 2 for count in total], [count - count // 2 for count in total]
    return less + more if kind == "SAME_UPPER" else more + less


def _to_the_end(
    pads: Sequence[int],
    sides: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """``pads``, and as much at the ends that windows that begin inside are whole."""
    axes, wide = len(sides), list(pads)
    for axis in range(axes):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        begin, side = pads[axis], sides[axis]
        windows = -(-(side + begin + pads[axes + axis] - reach) // strides[axis]) + 1
        if (windows - 1) * strides[axis] >= side + begin:
            windows -= 1
        wide[axes + axis] = max(pads[axes + axis], (windows - 1) * strides[axis] + reach - side - begin)
    return wide


def _padded(x: Tensor, pads: Sequence[int], kernel: Sequence[int] = (), value: float = 0.0) -> tuple[Tensor, list[int]]:
    """``x``, and what torch is to pad; what it cannot is padded here."""
    even = _even(pads, kernel)
    return (_pad(x, pads, value), [0] * (len(pads) // 2)) if even is None else (x, even)


def _even(pads: Sequence[int], kernel: Sequence[int] = ()) -> list[int] | None:
    """What is padded on both sides of each axis, if that is the same; half a ``kernel`` of pooling is torch's most."""
    first, last = list(pads[: len(pads) // 2]), list(pads[len(pads) // 2 :])
    known = first == last and min(first) >= 0
    return first if known and all(2 * pad <= size for pad, size in zip(first, kernel, strict=False)) else None


def _pad(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    """With the beginnings of all axes first, then their ends; torch takes the last axis first."""
    axes = len(pads) // 2
    flat = [pads[axis + end] for axis in reversed(range(axes)) for end in (0, axes)]
    return F.pad(x, flat, value=value) if any(flat) else x
